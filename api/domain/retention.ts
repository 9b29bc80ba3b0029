import { setImmediate } from "node:timers/promises";
import { nowUs } from "../../runtime/clock.ts";
import type { Database } from "../../store/database.ts";
import type { InvocationStore } from "../../store/invocations.ts";
import type { SandboxStore } from "../../store/sandboxes.ts";
import type { OnError } from "./on-error.ts";

export interface RetentionOptions {
  database: Pick<Database, "usedBytes">;
  invocations: InvocationStore;
  sandboxes: SandboxStore;
  /** How long what has ended stays on record. */
  maxAgeMs: number;
  /** How much the record may hold; past it the oldest invocations go, with their output. */
  maxBytes: number;
  onError: OnError;
}

const everyMs = 60_000;
/** So many are removed at once: the event loop has other things to do. */
const slice = 200;
/** Outputs may be large, and no more shall go than has to. */
const sizeSlice = 10;

/** Removes from the record what is old, or too much. Disposing it ends that. */
export class Retention implements Disposable {
  readonly #options: RetentionOptions;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isSweeping = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** Looks now, and every minute from now on. */
  start(): void {
    const sweep = (): void => void this.#sweep().catch(this.#options.onError);
    this.#timer = setInterval(sweep, everyMs).unref();
    sweep();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  async #sweep(): Promise<void> {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      const { database, invocations, sandboxes, maxAgeMs, maxBytes } = this.#options;
      const olderThanUs = nowUs() - maxAgeMs * 1000;
      await this.#whileRemoved(() => invocations.prune({ olderThanUs, limit: slice }));
      await this.#whileRemoved(() => sandboxes.prune(olderThanUs, slice));
      await this.#whileRemoved(() => {
        if (database.usedBytes() <= maxBytes) return 0;
        return invocations.prune({ olderThanUs: Infinity, limit: sizeSlice });
      });
    } finally {
      this.#isSweeping = false;
    }
  }

  async #whileRemoved(remove: () => number): Promise<void> {
    while (!this.#isClosed && remove() > 0) await setImmediate();
  }
}
