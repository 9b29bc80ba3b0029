import { nowUs } from "../../../runtime/clock.ts";
import type { ScheduleClaim, ScheduleRow, ScheduleStore } from "../../../store/schedules.ts";
import { messageOf } from "../errors.ts";
import { claimOf } from "./claim.ts";

/** One due time of a schedule, as it is handed over. */
export interface ScheduledCall {
  readonly scheduleName: string;
  /** Microseconds since the epoch. */
  readonly dueAtUs: number;
  readonly functionName: string;
  readonly qualifier: string | undefined;
  readonly event: Buffer;
  readonly contentType: string;
}

/** Takes a call over; what it throws is what the schedule shows as failed. */
export type Dispatch = (call: ScheduledCall, signal: AbortSignal) => Promise<void>;

export interface ScheduleClockOptions {
  store: ScheduleStore;
  dispatch: Dispatch;
  /** Told of due times that passed without a run of their own. */
  onMissed: (claim: ScheduleClaim) => void;
  onError: (error: unknown) => void;
}

/** The clock on the wall may be set, and a timer takes no more than 24.8 days. */
const maxWaitMs = 60_000;
/** A due time is missed where it could not be served for so long, as while the machine slept. */
const lateAfterUs = 60_000_000;
const retryMs = 5_000;
const batch = 100;

/**
 * Hands over each due time once: it is claimed in the record before. One timer waits for the earliest.
 * Disposing it gives up what it handed over and is not yet done.
 */
export class ScheduleClock implements AsyncDisposable {
  readonly #options: ScheduleClockOptions;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #isRunning = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ScheduleClockOptions) {
    this.#options = options;
  }

  /** Serves what passed while nobody looked, by what each schedule says of missed runs, and begins. */
  start(): void {
    const { store } = this.#options;
    for (const { name, lastAtUs } of store.withLastStatus("running")) {
      const error = "Cannot tell how the run ended: the server ended before it";
      if (lastAtUs !== null) store.settle(name, lastAtUs, { status: "failed", error });
    }
    this.#isRunning = true;
    this.#tick(0);
  }

  /** Takes notice of changed schedules. */
  rearm(): void {
    if (this.#isRunning) this.#arm(this.#untilFirstDueMs());
  }

  /** Hands a schedule over now, beside its due times. */
  run(row: ScheduleRow): void {
    const dueAtUs = nowUs();
    this.#options.store.begin(row.name, dueAtUs, "running");
    this.#dispatch(row, dueAtUs);
  }

  /** Claims nothing any more; what was handed over goes on. */
  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    this.#closing.abort();
    await Promise.all(this.#inFlight);
  }

  #arm(waitMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(lateAfterUs), waitMs);
  }

  #tick(lateUs: number): void {
    let waitMs = retryMs;
    try {
      this.#serve(lateUs);
      waitMs = this.#untilFirstDueMs();
    } catch (error) {
      this.#options.onError(error);
    }
    this.#arm(waitMs);
  }

  #serve(lateUs: number): void {
    const { store, onMissed } = this.#options;
    const atUs = nowUs();
    for (;;) {
      const rows = store.due(atUs, batch);
      if (rows.length === 0) return;
      const claims = rows.map((row) => ({ row, claim: claimOf(row, atUs, lateUs) }));
      store.claim(claims.map(({ claim }) => claim));
      for (const { row, claim } of claims) {
        if (claim.missedCount > 0) onMissed(claim);
        if (claim.runAtUs !== null) this.#dispatch(row, claim.runAtUs);
      }
    }
  }

  #untilFirstDueMs(): number {
    const dueUs = this.#options.store.firstDueUs() ?? Infinity;
    return Math.min(maxWaitMs, Math.max(0, Math.ceil((dueUs - nowUs()) / 1000)));
  }

  #dispatch(row: ScheduleRow, dueAtUs: number): void {
    const task = this.#settled(row, dueAtUs)
      .catch(this.#options.onError)
      .finally(() => this.#inFlight.delete(task));
    this.#inFlight.add(task);
  }

  async #settled(row: ScheduleRow, dueAtUs: number): Promise<void> {
    const { store, dispatch } = this.#options;
    const { name: scheduleName, functionName, event, contentType } = row;
    const qualifier = row.qualifier ?? undefined;
    const call = { scheduleName, dueAtUs, functionName, qualifier, event, contentType };
    try {
      await dispatch(call, this.#closing.signal);
      store.settle(scheduleName, dueAtUs, { status: "succeeded", error: null });
    } catch (error) {
      store.settle(scheduleName, dueAtUs, { status: "failed", error: messageOf(error) });
    }
  }
}
