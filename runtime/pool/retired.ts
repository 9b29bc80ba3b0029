import type { Exit } from "../container/exit.ts";
import type { Guest } from "../guest/guest.ts";

interface Entry {
  readonly guest: Guest;
  readonly freeze: NodeJS.Timeout;
  readonly exit: PromiseWithResolvers<Exit>;
}

/** Stopping a sandbox takes 0.3 ms from an invocation that follows at once, and ending it soon saves that. */
const freezeAfterMs = 10;

/**
 * Containers that have answered and will not be used again. An end costs some 15 ms of processor time, which
 * the next invocation may need more, so they wait for a pause, or until there are too many of them. What they
 * still do is stopped.
 */
export class Retired {
  readonly #maxWaiting: number;
  readonly #waiting: Entry[] = [];

  constructor(options: { maxWaiting: number }) {
    this.#maxWaiting = options.maxWaiting;
  }

  /** Takes a container in, and answers its exit once it has been ended. */
  async add(guest: Guest): Promise<Exit> {
    const freeze = setTimeout(() => guest.freeze(), freezeAfterMs);
    const entry = { guest, freeze, exit: Promise.withResolvers<Exit>() };
    this.#waiting.push(entry);
    if (this.#waiting.length > this.#maxWaiting) void this.#endNext();
    return await entry.exit.promise;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Ends those that wait, one after the other, for as long as it may go on. */
  async endWhile(mayGoOn: () => boolean): Promise<void> {
    while (this.#waiting.length > 0 && mayGoOn()) await this.#endNext();
  }

  async #endNext(): Promise<void> {
    const entry = this.#waiting.shift();
    if (entry === undefined) return;
    clearTimeout(entry.freeze);
    const exit = entry.guest.finish();
    entry.exit.resolve(exit);
    // Who added it is told of a failure.
    await exit.catch(() => undefined);
  }
}
