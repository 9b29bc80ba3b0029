export interface RateOptions {
  /** How many are under way at once. */
  concurrency: number;
  /** How long new ones are begun, milliseconds. */
  windowMs: number;
  signal: AbortSignal;
}

/** Does something again and again, so many at once, and answers how many a second came to their end. */
export async function rateOf(one: () => Promise<unknown>, options: RateOptions): Promise<number> {
  const { concurrency, windowMs, signal } = options;
  const start = performance.now();
  let done = 0;
  const worker = async (): Promise<void> => {
    do {
      signal.throwIfAborted();
      await one();
      done++;
    } while (performance.now() - start < windowMs);
  };
  const all = await Promise.allSettled(Array.from({ length: concurrency }, worker));
  for (const each of all) if (each.status === "rejected") throw each.reason;
  return done / ((performance.now() - start) / 1000);
}
