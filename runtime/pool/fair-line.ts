/**
 * Those who wait, each under a key. The keys take turns, so that many who wait under one of them hold up
 * nobody under another; within a key it is first come, first served.
 */
export class FairLine<T> {
  /** In the order of their turns; a key is there while somebody waits under it. */
  readonly #waiting = new Map<string, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many wait under a key. */
  sizeOf(key: string): number {
    return this.#waiting.get(key)?.size ?? 0;
  }

  add(key: string, waiter: T): void {
    const own = this.#waiting.get(key);
    if (own === undefined) this.#waiting.set(key, new Set([waiter]));
    else own.add(waiter);
    this.#size++;
  }

  /** Takes out whose turn it is. */
  next(): T | undefined {
    for (const [key, own] of this.#waiting) {
      this.#waiting.delete(key);
      for (const waiter of own) {
        own.delete(waiter);
        this.#size--;
        if (own.size > 0) this.#waiting.set(key, own);
        return waiter;
      }
    }
    return undefined;
  }

  /** Takes out all who wait under a key, in their order. */
  takeAll(key: string): T[] {
    const own = [...(this.#waiting.get(key) ?? [])];
    this.#waiting.delete(key);
    this.#size -= own.length;
    return own;
  }

  /** Takes out somebody who waits no longer. */
  remove(key: string, waiter: T): void {
    const own = this.#waiting.get(key);
    if (own === undefined || !own.delete(waiter)) return;
    this.#size--;
    if (own.size === 0) this.#waiting.delete(key);
  }
}
