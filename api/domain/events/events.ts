import { nowUs } from "../../../runtime/clock.ts";
import type { EventCallback, EventSummary, NewEvent } from "../../../store/event-row.ts";
import type { Event, EventDetail, EventFilter } from "../../schema/event.ts";
import { RunletError } from "../errors.ts";
import { eventType } from "../event.ts";
import type { Functions } from "../functions.ts";
import { newInvocationId as newEventId } from "../invocation-id.ts";
import type { Invocations } from "../invocations.ts";
import type { Page } from "../page.ts";
import type { Trace } from "../trace.ts";
import type { Callbacks } from "./delivery/callbacks.ts";
import type { EventQueue } from "./event-queue.ts";
import { eventPage, toEvent } from "./event-view.ts";

export interface EventsOptions {
  queue: EventQueue;
  functions: Functions;
  invocations: Invocations;
  callbacks: Callbacks;
  /** The largest event that is queued. */
  maxEventBytes: number;
  /** Told of each event once it is durable. */
  onAccepted: (event: NewEvent) => void;
}

/** An event for a function whose caller does not wait for the answer. */
export interface AcceptRequest {
  name: string;
  qualifier?: string | undefined;
  contentType?: string | undefined;
  body: Buffer;
  /** Who hands it in, such as `api`. */
  source: string;
  trace?: Trace | undefined;
  /** Whom its caller wants told of its end. */
  callback?: EventCallback | undefined;
  /** A UUID v7; an event that is handed in again with the same one is queued once. */
  id?: string | undefined;
}

/** The events that were accepted: queueing, showing, cancelling. */
export class Events {
  readonly #options: EventsOptions;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  /**
   * Queues an event and answers its id once it is durable; a write to the record in the same turn of the
   * event loop, as `onQueue` may make once the event was found to be in order, shares its commit.
   * @throws `not_found` without such a function or version; `invalid_argument` for an event that is not what
   * it says; `failed_precondition` for a callback that may not be told; `payload_too_large`.
   */
  async accept(request: AcceptRequest, onQueue?: () => void): Promise<string> {
    const event = this.#check(request);
    const queued = this.#options.queue.accept(event);
    onQueue?.();
    await queued;
    this.#options.onAccepted(event);
    return event.id;
  }

  async list(filter: EventFilter): Promise<Page<Event>> {
    const { function: functionName, ...page } = filter;
    return await eventPage(this.#options.queue, { ...page, functionName });
  }

  /** One event with its invocations. @throws `not_found`. */
  async get(id: string): Promise<EventDetail> {
    const event = toEvent(await this.#find(id));
    return { ...event, invocations: this.#options.invocations.ofEvent(id) };
  }

  /** Removes an event that waits. @throws `not_found`, `failed_precondition` if it does not wait. */
  async cancel(id: string): Promise<void> {
    if (await this.#options.queue.cancel(id)) return;
    const { state } = await this.#find(id);
    const advice = state === "running" ? ". Cancel its invocation" : "";
    throw new RunletError(
      "failed_precondition",
      `Cannot cancel event ${id}: it is ${state}${advice}`,
    );
  }

  #check(request: AcceptRequest): NewEvent {
    const { functions, callbacks, maxEventBytes } = this.#options;
    const { name, qualifier, body, source, callback, trace, id = newEventId() } = request;
    const { config } = functions.resolve(name, qualifier);
    if (body.length > maxEventBytes) {
      throw new RunletError(
        "payload_too_large",
        `Cannot queue the event: it is larger than ${maxEventBytes} bytes. Send less, or wait for the answer`,
      );
    }
    const contentType =
      config.runtime === "command" ? request.contentType : eventType(request.contentType, body);
    if (callback !== undefined) callbacks.secretOf(callback);
    return {
      id,
      kind: "invoke",
      functionName: name,
      qualifier: qualifier ?? null,
      contentType: contentType ?? null,
      body,
      source,
      traceId: trace?.id ?? null,
      isSampled: trace?.isSampled ?? true,
      depth: 0,
      callback: callback ?? null,
      acceptedAtUs: nowUs(),
    };
  }

  async #find(id: string): Promise<EventSummary> {
    const row = await this.#options.queue.get(id);
    if (row !== undefined) return row;
    throw new RunletError("not_found", `Cannot find event ${id}: there is none, or no longer`);
  }
}
