import type { PoolMember } from "./pool-member.ts";

export interface MembersOptions<T extends PoolMember> {
  /** A member older than this goes, milliseconds. */
  maxAgeMs: number;
  /** How long a member goes on before it is frozen, milliseconds. */
  settleMs: number;
  /** Puts away a container that will not be used; must not throw. */
  discard: (guest: T) => void;
  /** Told when a member has died while it waited. */
  onDeath: () => void;
}

interface Member<T extends PoolMember> {
  readonly guest: T;
  readonly addedAtMs: number;
}

/** Containers that wait to be taken, oldest first; all but the next to be taken are frozen. */
export class Members<T extends PoolMember> {
  readonly #options: MembersOptions<T>;
  readonly #waiting: Member<T>[] = [];

  constructor(options: MembersOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length;
  }

  add(guest: T): void {
    const member = { guest, addedAtMs: performance.now() };
    this.#waiting.push(member);
    setTimeout(() => this.#freeze(member), this.#options.settleMs).unref();
    void guest.init.wait().then(() => this.#bury(member));
  }

  /** The oldest that is alive, if there is one. */
  take(): T | undefined {
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
    const oldest = performance.now() - this.#options.maxAgeMs;
    const surplus = this.#waiting.length - target;
    const isDue = ({ addedAtMs }: Member<T>, index: number): boolean =>
      addedAtMs < oldest || index < surplus;
    for (const member of this.#waiting.filter(isDue)) this.#drop(member);
    this.wakeNext();
  }

  /** Puts away all of them. */
  clear(): void {
    for (const { guest } of this.#waiting.splice(0)) this.#options.discard(guest);
  }

  #freeze(member: Member<T>): void {
    if (this.#waiting.indexOf(member) > 0) member.guest.freeze();
  }

  #bury(member: Member<T>): void {
    if (!this.#waiting.includes(member)) return;
    this.#drop(member);
    this.#options.onDeath();
  }

  #drop(member: Member<T>): void {
    this.#waiting.splice(this.#waiting.indexOf(member), 1);
    this.#options.discard(member.guest);
  }
}
