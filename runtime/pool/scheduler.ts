import PQueue from "p-queue";
import { startDeadline } from "../deadline.ts";
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

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency });
  }

  get running(): number {
    return this.#queue.pending;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Waits for room for one container.
   * @throws `resource_exhausted` if the queue is full or the wait took too long; the signal's reason.
   */
  async acquire(signal?: AbortSignal): Promise<Permit> {
    signal?.throwIfAborted();
    const { concurrency, queueLimit, queueTimeoutMs } = this.#options;
    if (this.#queue.pending < concurrency && this.#queue.size === 0) return this.#enter();
    if (this.#queue.size >= queueLimit) {
      throw refused(`${queueLimit} invocations are waiting already`);
    }
    using wait = startDeadline("wait for a free container slot", queueTimeoutMs, signal);
    const granted = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const whole = this.#queue.add(
      async () => {
        // From here on p-queue must not see the signal: it would free the slot while the container still runs.
        wait[Symbol.dispose]();
        granted.resolve();
        await released.promise;
      },
      { signal: wait.signal },
    );
    try {
      await Promise.race([granted.promise, whole]);
    } catch (error) {
      signal?.throwIfAborted();
      if (!wait.signal.aborted) throw error;
      throw refused(`no container slot became free within ${queueTimeoutMs} ms`);
    }
    return { [Symbol.dispose]: () => released.resolve() };
  }

  /** Where there is room p-queue starts at once, and there is no wait to bound. */
  #enter(): Permit {
    const released = Promise.withResolvers<void>();
    void this.#queue.add(async () => await released.promise);
    return { [Symbol.dispose]: () => released.resolve() };
  }

  /** Resolves once nothing runs and nothing waits. */
  async idle(): Promise<void> {
    await this.#queue.onIdle();
  }
}

function refused(why: string): RunletError {
  return new RunletError("resource_exhausted", `Cannot run now: ${why}. Try again later`);
}
