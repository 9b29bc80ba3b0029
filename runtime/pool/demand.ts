/** How many takes fell into each of the last seconds: what the size of a stock follows. */
export class Demand {
  readonly #windowSeconds: number;
  readonly #takes = new Map<number, number>();

  constructor(windowSeconds = 60) {
    this.#windowSeconds = windowSeconds;
  }

  /** Counts one take at a moment in milliseconds. */
  record(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    this.#takes.set(second, (this.#takes.get(second) ?? 0) + 1);
    this.#forget(second);
  }

  /** How many there were in the window. */
  count(nowMs: number): number {
    this.#forget(Math.floor(nowMs / 1000));
    return this.#takes.values().reduce((sum, takes) => sum + takes, 0);
  }

  /** The busiest second of the window. */
  peakPerSecond(nowMs: number): number {
    this.#forget(Math.floor(nowMs / 1000));
    return Math.max(0, ...this.#takes.values());
  }

  #forget(second: number): void {
    for (const old of this.#takes.keys()) {
      if (old > second - this.#windowSeconds) return;
      this.#takes.delete(old);
    }
  }
}

export interface StockBounds {
  /** Members that are kept however little is asked for. */
  floor: number;
  /** Members that are never exceeded however much is asked for. */
  ceiling: number;
}

/** Seconds of the busiest recent demand that a stock is to cover without waiting for a start. */
const coveredSeconds = 0.5;

/** How many members a stock should hold. */
export function targetSize(peakPerSecond: number, { floor, ceiling }: StockBounds): number {
  const wanted = floor + Math.ceil(peakPerSecond * coveredSeconds);
  return Math.max(0, Math.min(wanted, ceiling));
}
