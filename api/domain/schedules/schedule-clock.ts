import { nowUs } from "../../../runtime/clock.ts";
import type { ScheduleClaim, ScheduleRow, ScheduleStore } from "../../../store/schedules.ts";
import { isRunletError } from "../errors.ts";
import type { OnError } from "../on-error.ts";
import { claimOf } from "./claim.ts";
import { eventIdOf } from "./event-id.ts";
import { parseExpression } from "./expression.ts";

/** One due time of a schedule, as it is handed over. */
export interface ScheduledCall {
  readonly scheduleName: string;
  /** Microseconds since the epoch. */
  readonly dueAtUs: number;
  /** The same for the same due time, which may be handed over again after a crash. */
  readonly eventId: string;
  readonly functionName: string;
  readonly qualifier: string | undefined;
  readonly event: Buffer;
  readonly contentType: string;
  /** What it sets the function's count of provisioned containers to; undefined where it queues its event. */
  readonly provisioned: number | undefined;
}

/** Takes a call over for good, once for each event id. @throws RunletError if it never will. */
export type Dispatch = (call: ScheduledCall) => Promise<void>;

export interface ScheduleClockOptions {
  store: ScheduleStore;
  dispatch: Dispatch;
  /** Told of due times that passed without a run of their own. */
  onMissed: (claim: ScheduleClaim) => void;
  onError: OnError;
}

/** The clock on the wall may be set, and a timer takes no more than 24.8 days. */
const maxWaitMs = 60_000;
/** A due time is missed where it could not be served for so long, as while the machine slept. */
const lateAfterUs = 60_000_000;
const retryMs = 5_000;
const batch = 100;

/**
 * Hands over each due time once: it is claimed in the record first, and what was claimed is handed over until
 * that is known to have worked, also by the next server. One timer waits for the earliest due time.
 */
export class ScheduleClock implements AsyncDisposable {
  readonly #options: ScheduleClockOptions;
  #isRunning = false;
  #ticking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ScheduleClockOptions) {
    this.#options = options;
  }

  /** Serves what passed while nobody looked, by what each schedule says of missed runs, and begins. */
  start(): void {
    this.#isRunning = true;
    this.#begin(0, () => this.#hasten());
  }

  /** Looks at once at what a step of the wall clock has made due. */
  onStep(): void {
    if (!this.#isRunning) return;
    clearTimeout(this.#timer);
    const before = this.#ticking;
    void (async () => {
      await before;
      clearTimeout(this.#timer);
      if (this.#isRunning) this.#begin(lateAfterUs, () => this.#hasten());
    })();
  }

  /** Takes notice of changed schedules. */
  rearm(): void {
    // A tick that is under way looks at them at its end.
    if (this.#isRunning && this.#ticking === undefined) this.#arm(this.#untilFirstDueMs());
  }

  /** Hands a schedule over now, beside its due times, and answers the id of its event. @throws what dispatch does. */
  async run(row: ScheduleRow): Promise<string> {
    const call = callOf(row, nowUs());
    await this.#options.dispatch(call);
    return call.eventId;
  }

  /** Claims nothing any more. */
  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#ticking;
  }

  #arm(waitMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#begin(lateAfterUs), waitMs);
  }

  #begin(lateUs: number, prepare: () => void = () => {}): void {
    this.#ticking = this.#tick(lateUs, prepare);
  }

  async #tick(lateUs: number, prepare: () => void): Promise<void> {
    let waitMs = retryMs;
    try {
      prepare();
      if (await this.#serve(lateUs)) waitMs = this.#untilFirstDueMs();
    } catch (error) {
      this.#options.onError(error);
    }
    this.#ticking = undefined;
    if (this.#isRunning) this.#arm(waitMs);
  }

  /** Answers whether all went well. */
  async #serve(lateUs: number): Promise<boolean> {
    const { store, onMissed } = this.#options;
    const atUs = nowUs();
    if (!(await this.#handOver())) return false;
    while (this.#isRunning) {
      const claims = store.due(atUs, batch).map((row) => claimOf(row, atUs, lateUs));
      if (claims.length === 0) return true;
      store.claim(claims);
      for (const claim of claims) if (claim.missedCount > 0) onMissed(claim);
      // The next claim of a schedule would take the place of one that is not handed over.
      if (!(await this.#handOver())) return false;
    }
    return true;
  }

  /** Hands over what is claimed; false where a call was neither taken nor refused: it stays claimed. */
  async #handOver(): Promise<boolean> {
    const { store, onError } = this.#options;
    const settled = store.accepting().map(async (row): Promise<boolean> => {
      try {
        await this.#settle(row, row.lastAtUs ?? row.updatedAtUs);
        return true;
      } catch (error) {
        onError(error, { schedule: row.name, functionName: row.functionName });
        return false;
      }
    });
    return (await Promise.all(settled)).every(Boolean);
  }

  /**
   * Where the clock was wrong by a year when due times were claimed, the next ones are a year ahead. A due time that
   * was handed over before is not run again: its event is there.
   */
  #hasten(): void {
    const { store } = this.#options;
    const atUs = nowUs();
    for (let page = store.list({ limit: batch }); page.length > 0;) {
      for (const row of page) {
        if (row.nextAtUs === null || row.nextAtUs <= atUs) continue;
        const nextAtUs = parseExpression(row).next(atUs);
        if (nextAtUs !== undefined && nextAtUs < row.nextAtUs) store.hasten(row.name, nextAtUs);
      }
      page = store.list({ limit: batch, after: page.at(-1)?.name });
    }
  }

  async #settle(row: ScheduleRow, dueAtUs: number): Promise<void> {
    const { store, dispatch } = this.#options;
    try {
      await dispatch(callOf(row, dueAtUs));
      store.settle(row.name, dueAtUs, { status: "accepted", error: null });
    } catch (error) {
      if (!isRunletError(error)) throw error;
      store.settle(row.name, dueAtUs, { status: "failed", error: error.message });
    }
  }

  #untilFirstDueMs(): number {
    const dueUs = this.#options.store.firstDueUs() ?? Infinity;
    return Math.min(maxWaitMs, Math.max(0, Math.ceil((dueUs - nowUs()) / 1000)));
  }
}

function callOf(row: ScheduleRow, dueAtUs: number): ScheduledCall {
  const { name: scheduleName, functionName, event, contentType } = row;
  return {
    scheduleName,
    dueAtUs,
    eventId: eventIdOf(scheduleName, dueAtUs),
    functionName,
    qualifier: row.qualifier ?? undefined,
    event,
    contentType,
    provisioned: row.provisioned ?? undefined,
  };
}
