import type { Guest } from "../guest/guest.ts";

export interface MembersOptions {
  /** A member older than this goes, milliseconds. */
  maxAgeMs: number;
  /** How long a member goes on before it is frozen, milliseconds. */
  settleMs: number;
  /** Puts away a container that will not be used; must not throw. */
  discard: (guest: Guest) => void;
  /** Told when a member has died while it waited. */
  onDeath: () => void;
}

interface Member {
  readonly guest: Guest;
  readonly addedAtMs: number;
}

/** Containers that wait to be taken, oldest first; all but the next to be taken are frozen. */
export class Members {
  readonly #options: MembersOptions;
  readonly #waiting: Member[] = [];

  constructor(options: MembersOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length;
  }

  add(guest: Guest): void {
    const member = { guest, addedAtMs: Date.now() };
    this.#waiting.push(member);
    setTimeout(() => this.#freeze(member), this.#options.settleMs).unref();
    void guest.init.wait().then(() => this.#bury(member));
  }

  /** The oldest that is alive, if there is one. */
  take(): Guest | undefined {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.guest.isAlive) return next.guest;
      this.#options.discard(next.guest);
    }
    return undefined;
  }

  /** Wakes the next to be taken: that is half of what a take costs. */
  wakeNext(): void {
    this.#waiting[0]?.guest.thaw();
  }

  /** Puts away the members past their age, and the oldest of those over `target`. */
  trim(target: number): void {
    const oldest = Date.now() - this.#options.maxAgeMs;
    const surplus = this.#waiting.length - target;
    const isDue = ({ addedAtMs }: Member, index: number): boolean =>
      addedAtMs < oldest || index < surplus;
    for (const member of this.#waiting.filter(isDue)) this.#drop(member);
    this.wakeNext();
  }

  /** Puts away all of them. */
  clear(): void {
    for (const { guest } of this.#waiting.splice(0)) this.#options.discard(guest);
  }

  #freeze(member: Member): void {
    if (this.#waiting.indexOf(member) > 0) member.guest.freeze();
  }

  #bury(member: Member): void {
    if (!this.#waiting.includes(member)) return;
    this.#drop(member);
    this.#options.onDeath();
  }

  #drop(member: Member): void {
    this.#waiting.splice(this.#waiting.indexOf(member), 1);
    this.#options.discard(member.guest);
  }
}
