/** Holds refills back after failures, longer each time, so that a host that cannot start anything is left alone. */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  #failures = 0;
  #untilMs = 0;
  #lastError: Error | undefined;

  constructor(options: { baseMs?: number; maxMs?: number } = {}) {
    this.#baseMs = options.baseMs ?? 250;
    this.#maxMs = options.maxMs ?? 30_000;
  }

  /** The last failure, until something succeeds. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** How many failures there were in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** How long to wait from now on, milliseconds; 0 where nothing stands in the way. */
  remainingMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs);
  }

  failed(error: Error, nowMs: number): void {
    this.#lastError = error;
    this.#untilMs = nowMs + Math.min(this.#maxMs, this.#baseMs * 2 ** this.#failures);
    this.#failures++;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#untilMs = 0;
    this.#lastError = undefined;
  }
}
