import PQueue from "p-queue";
import { RunletError } from "../errors.ts";

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

/**
 * Bounds how many containers run at once. First come, first served; a caller that waits can give up by its
 * signal and never gets a permit then.
 */
export class Scheduler {
  readonly #queue: PQueue;
  readonly #options: SchedulerOptions;
  #waiting = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency });
  }

  get running(): number {
    return this.#queue.pending;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Waits for room for one container.
   * @throws `resource_exhausted` if the queue is full or the wait took too long; the signal's reason.
   */
  async acquire(signal?: AbortSignal): Promise<Permit> {
    signal?.throwIfAborted();
    const { concurrency, queueLimit, queueTimeoutMs } = this.#options;
    const permit = Promise.withResolvers<Permit>();
    if (this.#queue.pending < concurrency && this.#queue.size === 0) {
      // Where there is room p-queue starts at once, and there is no wait to bound.
      this.#enqueue(() => permit.resolve);
      return await permit.promise;
    }
    if (this.#waiting >= queueLimit) {
      throw refused(`${queueLimit} invocations are waiting already`);
    }
    // Neither p-queue's signal nor a composed one: those cost more than all the rest of a short wait.
    const leave = (): void => {
      this.#waiting--;
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    };
    let hasGivenUp = false;
    const giveUp = (reason: Error): void => {
      hasGivenUp = true;
      leave();
      permit.reject(reason);
    };
    const cancel = (): void => giveUp(signal?.reason as Error);
    const timer = setTimeout(() => {
      giveUp(refused(`no container slot became free within ${queueTimeoutMs} ms`));
    }, queueTimeoutMs);
    signal?.addEventListener("abort", cancel, { once: true });
    this.#waiting++;
    this.#enqueue(() => {
      if (hasGivenUp) return undefined;
      leave();
      return permit.resolve;
    });
    return await permit.promise;
  }

  /** Asks, when there is room, who is to be given the permit; nobody where they have given up. */
  #enqueue(taker: () => ((permit: Permit) => void) | undefined): void {
    void this.#queue.add(async () => {
      const take = taker();
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
