import { nowUs } from "../../../runtime/clock.ts";
import type { EventEnd, EventKind, EventRow, NewEvent } from "../../../store/event-row.ts";
import type { AsyncPolicy } from "../../schema/async-policy.ts";
import { traceIdOf } from "../../../store/trace-id.ts";
import { RunletError } from "../errors.ts";
import type { Answer } from "../invoker.ts";
import { asFailure } from "../outcome.ts";
import type { FailureAbout, OnError } from "../on-error.ts";
import { untilWritten } from "../until-written.ts";
import type { EndedEvent } from "./ended-event.ts";
import type { EventQueue } from "./event-queue.ts";
import { isThrottle, spent, verdictOn } from "./retry.ts";

/** One attempt at an event, to its end. @throws RunletError if the attempt failed or could not be made. */
export type Attempt = (event: EventRow, signal: AbortSignal) => Promise<Answer | void>;

/** How an attempt ended: `throttled` counts as none, and `dead` is the last one. */
export type AttemptOutcome = "succeeded" | "failed" | "throttled" | "dead";

/** What a function's configuration says of its events. */
export interface DispatchPolicy {
  readonly async: AsyncPolicy;
  /** How many of its events may run at once. */
  readonly concurrency: number;
}

export interface DispatcherOptions {
  queue: EventQueue;
  /** The events that it runs; those of another kind are another's. */
  kind: EventKind;
  attempt: Attempt;
  /** What an event's end queues, in one commit with it. */
  followUpsOf?: (ended: EndedEvent) => readonly NewEvent[];
  /** Told what an end has queued. */
  onFollowUp?: (followUps: readonly NewEvent[], ended: EventRow) => void;
  /** The policy of a function; the default one where it is gone. */
  policyOf: (functionName: string) => DispatchPolicy;
  /** How many events run at once, of all functions without slots of their own; asked anew each time. */
  concurrency: () => number;
  /** The functions that have slots of their own; none by default. */
  reserved?: () => ReadonlyMap<string, unknown>;
  /** Told how each attempt ended. */
  onAttempt?: (kind: EventKind, outcome: AttemptOutcome) => void;
  /** Told of what goes wrong with the queue itself. */
  onError: OnError;
}

const noneReserved: ReadonlyMap<string, unknown> = new Map();

/** However late a clock or a far event is, the queue is looked at again after this. */
const longestWaitMs = 60_000;
const restMs = 1_000;
/** When an event is looked at again that something of ours stood in the way of. */
const giveBackMs = 30_000;
const keepSucceededMs = 86_400_000;
const pruneEveryMs = 600_000;
const pruneLimit = 1_000;

/**
 * Runs the queue's events, one function after the other in a circle, so that a flood of one keeps no other
 * waiting for more than its turn. It looks at the queue when it is woken and when the next event is due.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #running = new Set<Promise<void>>();
  readonly #cancel = new AbortController();
  readonly #stopped = new AbortController();
  readonly #inFlight = new Map<string, number>();
  /** Functions that were just turned away: their other events would fare no better. */
  readonly #restingUntilUs = new Map<string, number>();
  #lastFunction = "";
  #prunedAtUs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isWoken = false;
  #isClosed = false;
  #pumping: Promise<void> | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Makes events of an earlier life due again, answers how many, and begins. */
  async start(): Promise<number> {
    const { queue, kind } = this.#options;
    const recovered = await queue.recover(kind, nowUs(), {
      code: "runtime_failed",
      message: "Cannot tell how the attempt ended: the server ended before it did",
    });
    this.wake();
    return recovered;
  }

  /** Says that an event may be due. */
  wake(): void {
    if (this.#isClosed) return;
    this.#isWoken = true;
    this.#pumping ??= this.#pump();
  }

  /** Has what waits for its next attempt wait for as long as it would have, and no longer, where the clock was set. */
  async onStep(byUs: number): Promise<void> {
    const { queue, kind } = this.#options;
    this.#restingUntilUs.clear();
    this.#prunedAtUs = 0;
    if (byUs < 0) await queue.hasten(kind, nowUs(), -byUs);
    this.wake();
  }

  /** Takes no further event; those that run go on. */
  stop(): void {
    this.#isClosed = true;
    this.#stopped.abort();
    clearTimeout(this.#timer);
  }

  /** Cancels what runs after {@link stop}; it is due again at the next start, and the attempt does not count. */
  cancelAll(reason: string): void {
    this.#cancel.abort(new RunletError("cancelled", reason));
  }

  /** Resolves once nothing runs and all is written; after {@link stop}. */
  async idle(): Promise<void> {
    await this.#pumping;
    await Promise.all(this.#running);
  }

  async #pump(): Promise<void> {
    const { queue, kind } = this.#options;
    try {
      while (this.#isWoken && !this.#isClosed) {
        this.#isWoken = false;
        await this.#prune();
        const atUs = nowUs();
        while (this.#hasRoom() && (await this.#next(atUs)));
        if (!this.#isWoken) this.#sleep(atUs, await queue.nextDueAtUs(kind, atUs));
      }
    } catch (error) {
      this.#options.onError(error);
      this.#sleep(nowUs(), nowUs() + restMs * 1000);
    } finally {
      this.#pumping = undefined;
    }
  }

  #hasRoom(): boolean {
    if (this.#isClosed) return false;
    return this.#hasCommonRoom() || this.#reserved.size > 0;
  }

  get #reserved(): ReadonlyMap<string, unknown> {
    return this.#options.reserved?.() ?? noneReserved;
  }

  /** Whether one more event may run of a function without slots of its own. */
  #hasCommonRoom(): boolean {
    let running = 0;
    for (const [name, count] of this.#inFlight) if (!this.#reserved.has(name)) running += count;
    return running < this.#options.concurrency();
  }

  /** Begins the next event; false if none is due. */
  async #next(atUs: number): Promise<boolean> {
    for (const [name, untilUs] of this.#restingUntilUs) {
      if (untilUs <= atUs) this.#restingUntilUs.delete(name);
    }
    const { queue, kind } = this.#options;
    const hasCommonRoom = this.#hasCommonRoom();
    const mayRun = (name: string): boolean =>
      (hasCommonRoom || this.#reserved.has(name)) && !this.#isBusy(name);
    const event = await queue.lease({ kind, after: this.#lastFunction, mayRun, atUs });
    if (event === undefined) return false;
    const { functionName } = event;
    this.#lastFunction = functionName;
    this.#inFlight.set(functionName, (this.#inFlight.get(functionName) ?? 0) + 1);
    const run = this.#run(event)
      .catch((error: unknown) => this.#options.onError(error, aboutOf(event)))
      .finally(() => this.#running.delete(run));
    this.#running.add(run);
    return true;
  }

  /** Whether a function was just turned away, or has as many events running as may. */
  #isBusy(name: string): boolean {
    if (this.#restingUntilUs.has(name)) return true;
    const count = this.#inFlight.get(name) ?? 0;
    return count > 0 && count >= this.#options.policyOf(name).concurrency;
  }

  async #run(event: EventRow): Promise<void> {
    try {
      await this.#attempt(event);
    } catch (error) {
      this.#options.onError(error, aboutOf(event));
      await this.#giveBack(event, asFailure(error));
    } finally {
      const left = (this.#inFlight.get(event.functionName) ?? 1) - 1;
      if (left > 0) this.#inFlight.set(event.functionName, left);
      else this.#inFlight.delete(event.functionName);
      this.wake();
    }
  }

  async #attempt(event: EventRow): Promise<void> {
    const { attempt, policyOf } = this.#options;
    const policy = policyOf(event.functionName).async;
    const condition = spent(event, { policy, atUs: nowUs() });
    if (condition !== undefined) {
      const error = {
        code: event.errorCode ?? "deadline_exceeded",
        message: event.errorMessage ?? "Cannot run the event: it waited past its greatest age",
      };
      const end: EventEnd = { state: "dead", atUs: nowUs(), condition, isCounted: false, error };
      await this.#finish({ event: unattempted(event), end });
      return;
    }
    let answer: Answer | void;
    try {
      answer = await attempt(event, this.#cancel.signal);
    } catch (thrown) {
      await this.#failed(event, asFailure(thrown), policy);
      return;
    }
    await this.#finish({ event, end: { state: "succeeded", atUs: nowUs() }, answer });
  }

  async #failed(event: EventRow, failure: RunletError, policy: AsyncPolicy): Promise<void> {
    const { queue } = this.#options;
    const { code, message } = failure;
    const error = { code, message };
    const atUs = nowUs();
    if (code === "cancelled" && this.#isClosed) {
      await this.#written(
        event,
        async () => await queue.reschedule(event.id, { nextAtUs: atUs, isCounted: false, error }),
      );
      return;
    }
    if (isThrottle(failure)) this.#restingUntilUs.set(event.functionName, atUs + restMs * 1000);
    const verdict = verdictOn(event, failure, { policy, atUs, random: Math.random() });
    if (verdict.kind === "again") {
      this.#tell(verdict.isCounted ? "failed" : "throttled");
      await this.#written(
        event,
        async () => await queue.reschedule(event.id, { ...verdict, error }),
      );
    } else {
      const { condition, isCounted } = verdict;
      const end: EventEnd = { state: "dead", atUs, condition, isCounted, error };
      await this.#finish({ event: isCounted ? event : unattempted(event), end, failure });
    }
  }

  async #finish(ended: EndedEvent): Promise<void> {
    const { queue, followUpsOf, onFollowUp } = this.#options;
    const followUps = followUpsOf?.(ended) ?? [];
    await this.#written(
      ended.event,
      async () => await queue.finish(ended.event.id, ended.end, followUps),
    );
    this.#tell(ended.end.state === "succeeded" ? "succeeded" : "dead");
    if (followUps.length > 0) onFollowUp?.(followUps, ended.event);
  }

  /** Has an event be tried again later that could not be dealt with: it must not stay with nobody to run it. */
  async #giveBack(event: EventRow, failure: RunletError): Promise<void> {
    const { code, message } = failure;
    const nextAtUs = nowUs() + giveBackMs * 1000;
    const how = { nextAtUs, isCounted: !isThrottle(failure), error: { code, message } };
    await this.#written(event, async () => await this.#options.queue.reschedule(event.id, how));
  }

  /** What became of an event is written as soon as that is possible; after {@link stop} the next start sees to it. */
  async #written(event: EventRow, write: () => Promise<unknown>): Promise<void> {
    const onError = (error: unknown): void => this.#options.onError(error, aboutOf(event));
    await untilWritten(write, { onError, signal: this.#stopped.signal });
  }

  #tell(outcome: AttemptOutcome): void {
    this.#options.onAttempt?.(this.#options.kind, outcome);
  }

  #sleep(sinceUs: number, nextDueAtUs: number | undefined): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    const moments = [nextDueAtUs ?? Infinity, ...this.#restingUntilUs.values()].filter(
      (moment) => moment > sinceUs,
    );
    const waitMs = Math.ceil((Math.min(...moments) - sinceUs) / 1000);
    this.#timer = setTimeout(() => this.wake(), Math.min(longestWaitMs, Math.max(1, waitMs)));
  }

  async #prune(): Promise<void> {
    const atUs = nowUs();
    if (atUs - this.#prunedAtUs < pruneEveryMs * 1000) return;
    const removed = await this.#options.queue.prune(atUs - keepSucceededMs * 1000, pruneLimit);
    // As much as may go at once: the rest goes with the next look.
    if (removed < pruneLimit) this.#prunedAtUs = atUs;
  }
}

/** The event without the attempt that it was leased for, which was not made. */
function unattempted(event: EventRow): EventRow {
  return { ...event, attempts: event.attempts - 1 };
}

function aboutOf({ id, functionName, traceId }: EventRow): FailureAbout {
  return { eventId: id, functionName, traceId: traceId ?? traceIdOf(id) };
}
