/** What a set of samples comes to; all but `n` in the unit of the samples. */
export interface Summary {
  readonly n: number;
  readonly min: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  readonly mean: number;
}

/**
 * The smallest sample that `percent` of all samples do not exceed (nearest rank): always one that was taken.
 * @throws RangeError without samples or with a percentage that is none.
 */
export function percentile(sorted: readonly number[], percent: number): number {
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  const found = percent < 0 ? undefined : sorted[rank - 1];
  if (found === undefined) {
    throw new RangeError(`Cannot take percentile ${percent} of ${sorted.length} samples`);
  }
  return found;
}

/** Summarizes samples in any order. @throws RangeError without samples. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (percent: number): number => percentile(sorted, percent);
  return {
    n: sorted.length,
    min: at(0),
    p50: at(50),
    p95: at(95),
    p99: at(99),
    max: at(100),
    mean: sorted.reduce((sum, sample) => sum + sample, 0) / sorted.length,
  };
}
