import { createHash } from "node:crypto";
import { nowUs } from "../../runtime/clock.ts";
import { untilAborted } from "../../runtime/deadline.ts";
import type { RecordWriter } from "../../store/batch.ts";
import {
  type IdempotencyKeyRow,
  type IdempotencyKeyStore,
  keptForUs,
} from "../../store/idempotency-keys.ts";
import { type ErrorCode, InvocationError, RunletError } from "./errors.ts";
import type { AcceptRequest, Events } from "./events/events.ts";
import type { Functions } from "./functions.ts";
import { newInvocationId as newEventId } from "./invocation-id.ts";
import type { Finished } from "./invocations.ts";
import { type Answer, answerOf, type InvokeRequest, type Invoker } from "./invoker.ts";

/** The largest body that is kept to be answered again. */
const maxKeptBytes = 1024 * 1024;

/** Failures that say nothing of the function: a further try may well run it. */
const unkept: ReadonlySet<ErrorCode> = new Set(["resource_exhausted", "unavailable"]);

export interface IdempotentInvokerOptions {
  store: IdempotencyKeyStore;
  writer: RecordWriter;
  functions: Functions;
  invoker: Invoker;
  events: Events;
}

/** An event that was queued, now or by an earlier call with the same key. */
export interface KeyedEvent {
  readonly eventId: string;
  readonly isReplayed: boolean;
}

type Kept = { readonly answer: Omit<Answer, "body"> } | { readonly failure: KeptFailure };

/** What is kept of an event that was queued; its digest is that of no call that is waited for. */
type KeptEvent = Pick<KeyedEvent, "eventId">;

type KeptFailure = Pick<
  InvocationError,
  "code" | "message" | "invocationId" | "traceId" | "thrown" | "exit"
>;

interface Running {
  readonly digest: string;
  /** An {@link Answer}, or the {@link KeyedEvent}: the digest tells which. */
  readonly result: Promise<unknown>;
}

/** Invokes functions, and queues events for them, once for each key that callers name, however often they ask. */
export class IdempotentInvoker {
  readonly #options: IdempotentInvokerOptions;
  readonly #running = new Map<string, Running>();

  constructor(options: IdempotentInvokerOptions) {
    this.#options = options;
  }

  /**
   * Invokes as the invoker does, or answers as the first call with this key did within the last day, be that
   * with a failure. A caller that goes away leaves its invocation running: whoever asks again gets its answer.
   * @throws `idempotency_key_reused` for another event; `failed_precondition` for an answer of more than 1 MiB, which is not kept.
   */
  async invoke({ key, signal, ...request }: InvokeRequest & { key: string }): Promise<Answer> {
    const { store, functions } = this.#options;
    const { name, qualifier } = request;
    functions.resolve(name, qualifier);
    const digest = digestOf(request);
    const place = `${name} ${key}`;
    const running = this.#running.get(place);
    if (running !== undefined) {
      checkSame(running.digest, digest);
      const answer = (await untilAborted(running.result, signal)) as Answer;
      return { ...answer, logTail: undefined, isReplayed: true };
    }
    const kept = store.get(name, key, nowUs());
    if (kept !== undefined) {
      checkSame(kept.requestDigest, digest);
      return answerAgain(kept);
    }
    return await untilAborted(
      this.#remember(place, digest, this.#invoke(key, digest, request)),
      signal,
    );
  }

  /**
   * Queues an event, or answers the id of the one that was queued with this key within the last day, whatever has
   * become of it.
   * @throws `idempotency_key_reused` for another event, and for one that was waited for; else as events do.
   */
  async accept({ key, ...request }: AcceptRequest & { key: string }): Promise<KeyedEvent> {
    const { store, functions } = this.#options;
    const { name, qualifier, contentType, callback, body: event } = request;
    functions.resolve(name, qualifier);
    const digest = digestOf({ qualifier, contentType, event }, "respond-async", callback ?? null);
    const place = `${name} ${key}`;
    const running = this.#running.get(place);
    if (running !== undefined) {
      checkSame(running.digest, digest);
      return { ...((await running.result) as KeyedEvent), isReplayed: true };
    }
    const kept = store.get(name, key, nowUs());
    if (kept !== undefined) {
      checkSame(kept.requestDigest, digest);
      return { ...(JSON.parse(kept.answerJson) as KeptEvent), isReplayed: true };
    }
    return await this.#remember(place, digest, this.#accept(key, digest, request));
  }

  /** Lets those who ask with the same key meanwhile have the same result. */
  async #remember<T>(place: string, digest: string, result: Promise<T>): Promise<T> {
    this.#running.set(place, { digest, result });
    try {
      return await result;
    } finally {
      this.#running.delete(place);
    }
  }

  async #accept(key: string, requestDigest: string, request: AcceptRequest): Promise<KeyedEvent> {
    const { store, writer, events } = this.#options;
    const eventId = newEventId();
    const answerJson = JSON.stringify({ eventId } satisfies KeptEvent);
    const about = { functionName: request.name, key, requestDigest, answerJson, body: null };
    let kept: Promise<void> | undefined;
    // In one transaction with the event: neither is there without the other.
    const onQueue = (): void => {
      const atUs = nowUs();
      const row = { ...about, expiresAtUs: atUs + keptForUs };
      kept = writer.write(() => store.put(row, atUs));
    };
    const [accepted] = await Promise.all([
      events.accept({ ...request, id: eventId }, onQueue),
      kept,
    ]);
    return { eventId: accepted, isReplayed: false };
  }

  async #invoke(
    key: string,
    requestDigest: string,
    request: Omit<InvokeRequest, "signal">,
  ): Promise<Answer> {
    const { store, invoker } = this.#options;
    const onRecord = (finished: Finished): void => {
      const kept = keptOf(finished);
      if (kept === undefined) return;
      const atUs = nowUs();
      const expiresAtUs = atUs + keptForUs;
      store.put({ functionName: request.name, key, requestDigest, ...kept, expiresAtUs }, atUs);
    };
    return await invoker.invoke({ ...request, signal: new AbortController().signal, onRecord });
  }
}

function digestOf(
  { qualifier, contentType, event }: Pick<InvokeRequest, "qualifier" | "contentType" | "event">,
  ...more: readonly unknown[]
): string {
  const about = JSON.stringify([qualifier ?? null, contentType ?? null, ...more]);
  return createHash("sha256").update(about).update(event).digest("hex");
}

function checkSame(first: string, second: string): void {
  if (first === second) return;
  throw new RunletError(
    "idempotency_key_reused",
    "Cannot invoke with this idempotency key: it came with another event before, or in another way. Use a new key for each event",
  );
}

function keptOf(finished: Finished): Pick<IdempotencyKeyRow, "answerJson" | "body"> | undefined {
  try {
    const { body, ...answer } = answerOf(finished);
    const isKept = body.byteLength <= maxKeptBytes;
    return { answerJson: JSON.stringify({ answer } satisfies Kept), body: isKept ? body : null };
  } catch (error) {
    if (!(error instanceof InvocationError)) throw error;
    if (unkept.has(error.code)) return undefined;
    const { code, message, invocationId, traceId, thrown, exit } = error;
    const failure = { code, message, invocationId, traceId, thrown, exit };
    return { answerJson: JSON.stringify({ failure } satisfies Kept), body: null };
  }
}

function answerAgain({ answerJson, body }: IdempotencyKeyRow): Answer {
  const kept = JSON.parse(answerJson) as Kept;
  if ("failure" in kept) {
    const { code, message, invocationId, traceId, thrown, exit } = kept.failure;
    throw new InvocationError(new RunletError(code, message), {
      invocationId,
      traceId,
      ...(thrown && { thrown }),
      ...(exit && { exit }),
    });
  }
  const { answer } = kept;
  if (body !== null) return { ...answer, body, isReplayed: true };
  throw new RunletError(
    "failed_precondition",
    `Cannot answer again: invocation ${answer.record.id} ran, and its answer is over ${maxKeptBytes} bytes, so that it was not kept`,
  );
}
