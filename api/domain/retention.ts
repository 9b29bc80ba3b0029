import { setImmediate } from "node:timers/promises";
import { nowUs } from "../../runtime/clock.ts";
import type { Database } from "../../store/database.ts";
import type { OnError } from "./on-error.ts";

/** Something on record that ends some time, and then may go. Moments are microseconds since the epoch. */
export interface Endings {
  /** When the one ended that has done so first; undefined where there is none. */
  oldestUs(): number | undefined;
  /** Removes up to `limit` that ended before a moment, the oldest first; answers how many. */
  prune(endedBeforeUs: number, limit: number): number;
}

export interface RetentionOptions {
  database: Pick<Database, "usedBytes">;
  /** What stays for `maxAgeMs` after its end, or less where the record is too large. */
  endings: readonly Endings[];
  /** What stays for a time of its own, such as an idempotency key; it goes earlier where the record is too large. */
  expiring: Endings;
  /** Forgets the keys that have been good for nothing since before a moment. */
  pruneKeys: (sinceBeforeUs: number) => void;
  /** What of the record cannot go, since somebody still waits for it. */
  waitingBytes: () => number;
  /** How long what has ended stays on record. */
  maxAgeMs: number;
  /** How much the record may hold; past it the oldest of all that has ended goes. */
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
      const { endings, expiring, pruneKeys, maxAgeMs } = this.#options;
      const atUs = nowUs();
      const olderThanUs = atUs - maxAgeMs * 1000;
      for (const each of endings) {
        await this.#whileRemoved(() => each.prune(olderThanUs, slice));
      }
      await this.#whileRemoved(() => expiring.prune(atUs, slice));
      pruneKeys(olderThanUs);
      await this.#shrink();
    } finally {
      this.#isSweeping = false;
    }
  }

  /** Where what waits is too much alone, nothing that ended would be worth its going. */
  async #shrink(): Promise<void> {
    const { database, endings, expiring, waitingBytes, maxBytes } = this.#options;
    const isTooLarge = (): boolean => database.usedBytes() > maxBytes;
    if (!isTooLarge()) return;
    if (waitingBytes() > maxBytes) {
      throw new Error(
        `Cannot bring the record below ${maxBytes} bytes: the events that wait take more. ` +
          "Have them run or cancel them, or raise RUNLET_MAX_RECORD_BYTES",
      );
    }
    const kinds = [...endings, expiring];
    await this.#whileRemoved(() => {
      if (!isTooLarge()) return 0;
      const oldest = kinds
        .map((kind) => ({ kind, atUs: kind.oldestUs() ?? Infinity }))
        .reduce((a, b) => (b.atUs < a.atUs ? b : a));
      return oldest.kind.prune(Infinity, sizeSlice);
    });
  }

  async #whileRemoved(remove: () => number): Promise<void> {
    while (!this.#isClosed && remove() > 0) await setImmediate();
  }
}
