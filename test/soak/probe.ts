import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "../../bench/harness/statistics.ts";

/** Calls again and again, and tells how long that took of late. */
export class Probe implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #calling: Promise<void>;
  #tookMs: number[] = [];
  #begunAtMs = performance.now();

  constructor(call: () => Promise<unknown>, intervalMs: number) {
    this.#calling = this.#run(call, intervalMs);
  }

  /** Of the calls that ended since it was last asked, milliseconds; where none did, of the one that is under way. */
  read(): { p50Ms: number; p99Ms: number } {
    const sorted = this.#tookMs.toSorted((a, b) => a - b);
    this.#tookMs = [];
    if (sorted.length === 0) sorted.push(performance.now() - this.#begunAtMs);
    return { p50Ms: percentile(sorted, 50), p99Ms: percentile(sorted, 99) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#calling;
  }

  async #run(call: () => Promise<unknown>, intervalMs: number): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#begunAtMs = performance.now();
      // The load tells what goes wrong.
      await call().catch(() => undefined);
      this.#tookMs.push(performance.now() - this.#begunAtMs);
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
