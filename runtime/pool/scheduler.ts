import PQueue from "p-queue";
import { RunletError } from "../errors.ts";
import { FairLine } from "./fair-line.ts";

export interface SchedulerOptions {
  /** How many containers run at once. */
  concurrency: number;
  /** How many callers may wait; one more is refused at once. */
  queueLimit: number;
  /** How long a caller may wait before it is refused. */
  queueTimeoutMs: number;
}

/** The right to run one container. Dispose it once the container is gone; a second time is harmless. */
export type Permit = Disposable;

/** On whose account a caller waits. */
export interface Account {
  /** Callers of one key are served in the order in which they came; keys take turns. */
  readonly key: string;
  /** How many may wait under the key; half of all places if there is none, and never more. */
  readonly queueLimit?: number | undefined;
}

/** What one key may take of the places to wait in, so that a flood leaves some to others. */
const shareOfPlaces = 0.5;

/**
 * Bounds how many containers run at once, and is fair: a flood of calls under one key delays those under
 * another by one turn. A caller that waits can give up by its signal and never gets a permit then.
 */
export class Scheduler {
  readonly #queue: PQueue;
  readonly #options: SchedulerOptions;
  readonly #line = new FairLine<(permit: Permit) => void>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency });
  }

  get running(): number {
    return this.#queue.pending;
  }

  get waiting(): number {
    return this.#line.size;
  }

  /** Whether a permit could be had without a wait. */
  get hasRoom(): boolean {
    return this.#queue.pending < this.#options.concurrency && this.#queue.size === 0;
  }

  /**
   * Waits for room for one container.
   * @throws `resource_exhausted` if there is no place to wait or the wait took too long; the signal's reason.
   */
  async acquire(signal?: AbortSignal, account: Account = { key: "" }): Promise<Permit> {
    signal?.throwIfAborted();
    const { queueTimeoutMs } = this.#options;
    const { key } = account;
    const permit = Promise.withResolvers<Permit>();
    if (this.hasRoom) {
      // Where there is room p-queue starts at once, and there is no wait to bound.
      this.#line.add(key, permit.resolve);
      this.#callNext();
      return await permit.promise;
    }
    this.#requirePlace(account);
    // Neither p-queue's signal nor a composed one: those cost more than all the rest of a short wait.
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    };
    const take = (granted: Permit): void => {
      settle();
      permit.resolve(granted);
    };
    const giveUp = (reason: Error): void => {
      settle();
      this.#line.remove(key, take);
      permit.reject(reason);
    };
    const cancel = (): void => giveUp(signal?.reason as Error);
    const timer = setTimeout(() => {
      giveUp(refused(`no container slot became free within ${queueTimeoutMs} ms`));
    }, queueTimeoutMs);
    signal?.addEventListener("abort", cancel, { once: true });
    this.#line.add(key, take);
    this.#callNext();
    return await permit.promise;
  }

  #requirePlace({ key, queueLimit: own = Infinity }: Account): void {
    const { queueLimit } = this.#options;
    const share = Math.min(own, Math.ceil(queueLimit * shareOfPlaces));
    if (this.#line.sizeOf(key) >= share) {
      throw refused(`${share} invocations are waiting already`);
    }
    if (this.#line.size >= queueLimit) {
      throw refused(`${queueLimit} invocations of all functions are waiting already`);
    }
  }

  /** Gives a permit, when there is room, to whose turn it is then; to nobody where one has given up. */
  #callNext(): void {
    void this.#queue.add(async () => {
      const take = this.#line.next();
      if (take === undefined) return;
      const released = Promise.withResolvers<void>();
      take({ [Symbol.dispose]: () => released.resolve() });
      await released.promise;
    });
  }

  /** Resolves once nothing runs and nothing waits. */
  async idle(): Promise<void> {
    await this.#queue.onIdle();
  }
}

function refused(why: string): RunletError {
  return new RunletError("resource_exhausted", `Cannot run now: ${why}. Try again later`);
}
