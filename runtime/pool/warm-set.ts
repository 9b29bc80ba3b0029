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
  expiry: NodeJS.Timeout;
  freeze: NodeJS.Timeout;
}

/** How long an idle container keeps running: somebody who calls often never waits for a thaw. */
const freezeAfterMs = 1000;

/** Containers that have answered and wait for the next event of the same function version. */
export class WarmSet {
  readonly #options: WarmSetOptions;
  /** In the order of their last use, oldest first. */
  readonly #idle = new Set<Idle>();

  constructor(options: WarmSetOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#idle.size;
  }

  /** The container that was used last for this key, if one is idle and alive. */
  take(key: string): Guest | undefined {
    const candidates = [...this.#idle].filter((idle) => idle.key === key).toReversed();
    for (const idle of candidates) {
      this.#remove(idle);
      if (idle.guest.isAlive) {
        idle.guest.thaw();
        return idle.guest;
      }
      this.#options.discard(idle.guest);
    }
    return undefined;
  }

  /** Keeps a container for the next event of its key, for `keepAliveMs` at most. */
  give(key: string, guest: Guest, keepAliveMs: number): void {
    const idle: Idle = {
      key,
      guest,
      expiry: setTimeout(() => this.#drop(idle), keepAliveMs),
      freeze: setTimeout(() => guest.freeze(), freezeAfterMs),
    };
    idle.expiry.unref();
    idle.freeze.unref();
    this.#idle.add(idle);
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

  #drop(idle: Idle): void {
    this.#remove(idle);
    this.#options.discard(idle.guest);
  }

  #remove(idle: Idle): void {
    clearTimeout(idle.expiry);
    clearTimeout(idle.freeze);
    this.#idle.delete(idle);
  }
}
