import type { Init } from "./init.ts";
import { signalProcess } from "./proc.ts";

/**
 * Stops a sandbox's processor time until it is used; what it holds in memory stays. All of its processes are
 * stopped: one that waits for another by spinning would spin for ever. Without a cgroup to tell them it goes on.
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

  freeze(): void {
    if (this.isFrozen) return;
    this.#frozen = this.#init.processes().filter((pid) => signalProcess(pid, "SIGSTOP"));
  }

  /** Ends {@link freeze}; harmless where nothing is frozen. */
  thaw(): void {
    for (const pid of this.#frozen.splice(0).toReversed()) signalProcess(pid, "SIGCONT");
  }
}
