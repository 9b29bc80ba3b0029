import { setTimeout as sleep } from "node:timers/promises";
import type { Init } from "./init.ts";
import { hasArguments, isAtWork, isRunnable, isStopped, runTimeOf, signalProcess } from "./proc.ts";

/** How often is looked whether runsc has stopped. */
const checkMs = 2;

/**
 * Stops a sandbox's processor time until it is used; what it holds in memory stays. All of its processes are
 * stopped: one that waits for another by spinning would spin for ever. Without a cgroup to tell them it goes on.
 *
 * runsc starts the processes that the guest's code runs in by ptrace, which counts on every SIGSTOP of theirs: one
 * that comes between, or is taken back by a SIGCONT, crashes the sandbox. So runsc is stopped first, and of the rest
 * only what it has let go of by then. What it holds stands still by itself.
 */
export class Freezer {
  readonly #init: Init;
  #frozen: number[] = [];

  constructor(init: Init) {
    this.#init = init;
  }

  get isFrozen(): boolean {
    return this.#frozen.length > 0;
  }

  /** What the guest's code runs in follows within some milliseconds. */
  freeze(): void {
    if (this.isFrozen) return;
    const runsc = this.#init.processes().filter(hasArguments);
    const frozen = runsc.filter((pid) => signalProcess(pid, "SIGSTOP"));
    this.#frozen = frozen;
    void this.#freezeRest(frozen);
  }

  /** Ends {@link freeze}; harmless where nothing is frozen. */
  thaw(): void {
    const frozen = this.#frozen;
    this.#frozen = [];
    for (const pid of frozen.toReversed()) signalProcess(pid, "SIGCONT");
  }

  async #freezeRest(frozen: number[]): Promise<void> {
    const runsc = [...frozen];
    while (this.#frozen === frozen && !runsc.every(isStopped)) await pause();
    const seen = new Map<number, string | undefined>();
    while (this.#frozen === frozen) {
      const rest = this.#init.processes().filter((pid) => !frozen.includes(pid) && isAtWork(pid));
      // One that runsc let go of to be stopped is not so before it gets the processor: it must have had it since.
      const free = rest.filter((pid) => seen.has(pid) && seen.get(pid) !== runTimeOf(pid));
      const idle = rest.filter((pid) => !free.includes(pid) && !isRunnable(pid));
      frozen.push(...[...free, ...idle].filter((pid) => signalProcess(pid, "SIGSTOP")));
      if (rest.length === free.length + idle.length) return;
      for (const pid of rest) if (!seen.has(pid)) seen.set(pid, runTimeOf(pid));
      await pause();
    }
  }
}

async function pause(): Promise<void> {
  await sleep(checkMs, undefined, { ref: false });
}
