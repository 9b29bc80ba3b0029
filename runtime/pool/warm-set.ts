import type { Guest } from "../guest/guest.ts";

export interface WarmSetOptions {
  /** How many idle containers are kept in all; the least recently used goes first. */
  maxIdle: () => number;
  /** Puts away a container that will not be used again; must not throw. */
  discard: (guest: Guest) => void;
}

interface Idle {
  readonly key: string;
  readonly guest: Guest;
  readonly sinceMs: number;
  readonly keepAliveMs: number;
}

/** How long an idle container keeps running: somebody who calls often never waits for a thaw. */
const freezeAfterMs = 1000;

/** How often it is looked for those whose time has come: a timer for each would be set and cleared with each call. */
const lookEveryMs = 200;

/** Containers that have answered and wait for the next event of the same function version. */
export class WarmSet {
  readonly #options: WarmSetOptions;
  /** In the order of their last use, oldest first. */
  readonly #idle = new Set<Idle>();
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: WarmSetOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#idle.size;
  }

  /** The container that was used last for this key, if one is idle and fit. */
  take(key: string): Guest | undefined {
    let latest = this.#latest(key);
    for (; latest !== undefined; latest = this.#latest(key)) {
      this.#idle.delete(latest);
      const { guest } = latest;
      if (guest.isFit) {
        guest.thaw();
        return guest;
      }
      this.#options.discard(guest);
    }
    return undefined;
  }

  /** Keeps a container for the next event of its key, for `keepAliveMs` at most. */
  give(key: string, guest: Guest, keepAliveMs: number): void {
    this.#idle.add({ key, guest, sinceMs: performance.now(), keepAliveMs });
    this.#ticker ??= setInterval(() => this.#look(), lookEveryMs).unref();
    for (const oldest of this.#idle) {
      if (this.#idle.size <= this.#options.maxIdle()) break;
      this.#drop(oldest);
    }
  }

  /** Puts away every container of one key, as when its version is gone. */
  dropKey(key: string): void {
    for (const idle of this.#idle) if (idle.key === key) this.#drop(idle);
  }

  /** Puts away all of them. */
  clear(): void {
    for (const idle of this.#idle) this.#drop(idle);
  }

  #latest(key: string): Idle | undefined {
    let latest: Idle | undefined;
    for (const idle of this.#idle) if (idle.key === key) latest = idle;
    return latest;
  }

  #look(): void {
    const now = performance.now();
    for (const idle of this.#idle) {
      const idleMs = now - idle.sinceMs;
      if (idleMs >= idle.keepAliveMs) this.#drop(idle);
      else if (idleMs >= freezeAfterMs) idle.guest.freeze();
    }
    if (this.#idle.size > 0) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  #drop(idle: Idle): void {
    this.#idle.delete(idle);
    this.#options.discard(idle.guest);
  }
}
