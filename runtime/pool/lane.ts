import { FairLine } from "./fair-line.ts";

/** Somebody who waits for a slot. */
export interface Waiter {
  readonly key: string;
  /** Whether nobody waits for what it is going to do. */
  readonly isBackground: boolean;
}

/** Of the slots for which both wait, those that go to the background: one in so many. */
const backgroundTurn = 8;

/**
 * Slots that some keys share, and the lines of those who wait for one. Who does something that somebody waits for
 * goes first; where others wait as well, each eighth slot is theirs, so that they wait long at worst and not for ever.
 */
export class Lane<T extends Waiter> {
  /** How many slots there are. */
  limit: number;
  /** How many of them the background may have at once. */
  backgroundLimit: number;
  #running = 0;
  #runningInBackground = 0;
  #passedOver = 0;
  readonly #callers = new FairLine<T>();
  readonly #background = new FairLine<T>();

  constructor(limit: number) {
    this.limit = limit;
    this.backgroundLimit = limit;
  }

  /** How many wait. */
  get size(): number {
    return this.#callers.size + this.#background.size;
  }

  /** How many wait with a caller behind them. */
  get callers(): number {
    return this.#callers.size;
  }

  /** How many of a key wait with a caller behind them. */
  callersOf(key: string): number {
    return this.#callers.sizeOf(key);
  }

  /** Whether a slot is free and nobody is to have it before. */
  hasRoom(isBackground: boolean): boolean {
    if (this.#running >= this.limit || this.#callers.size > 0) return false;
    return !isBackground || (this.#background.size === 0 && this.#mayRunInBackground);
  }

  enter(isBackground: boolean): void {
    this.#running++;
    if (isBackground) this.#runningInBackground++;
  }

  leave(isBackground: boolean): void {
    this.#running--;
    if (isBackground) this.#runningInBackground--;
  }

  add(waiter: T): void {
    this.#lineOf(waiter).add(waiter.key, waiter);
  }

  /** Takes out somebody who waits no longer. */
  remove(waiter: T): void {
    this.#lineOf(waiter).remove(waiter.key, waiter);
  }

  /** Takes out whose turn it is, if there is a slot for them. */
  next(): T | undefined {
    if (this.#running >= this.limit) return undefined;
    const mayRun = this.#background.size > 0 && this.#mayRunInBackground;
    if (this.#callers.size > 0 && !(mayRun && this.#passedOver >= backgroundTurn - 1)) {
      if (mayRun) this.#passedOver++;
      return this.#callers.next();
    }
    this.#passedOver = 0;
    return mayRun ? this.#background.next() : undefined;
  }

  /** Takes out all who wait under a key. */
  takeAll(key: string): T[] {
    return [...this.#callers.takeAll(key), ...this.#background.takeAll(key)];
  }

  get #mayRunInBackground(): boolean {
    return this.#runningInBackground < this.backgroundLimit;
  }

  #lineOf({ isBackground }: T): FairLine<T> {
    return isBackground ? this.#background : this.#callers;
  }
}
