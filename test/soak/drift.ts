import { percentile } from "../../bench/harness/statistics.ts";
import type { Counts } from "./counts.ts";

/** What a server took at one moment. */
export interface Sample extends Counts {
  readonly atMs: number;
  /** Resident. */
  readonly memoryBytes: number;
  /** Of JavaScript's objects, with what is not collected yet. */
  readonly heapBytes: number;
  /** Of a call of a function that is kept warm. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type Measure = Exclude<keyof Sample, "atMs">;

/** A measure's way through the samples, and whether it stayed within its bound. */
export interface Drift {
  readonly measure: Measure;
  /** Level of the first third of the samples: the median, or what memory falls to. */
  readonly first: number;
  /** Level of the last third. */
  readonly last: number;
  readonly perHour: number;
  /** What the last may be at most. */
  readonly most: number;
  readonly holds: boolean;
}

/** How much a measure may be times what it was, and so much more. */
type Bound = readonly [times: number, more: number];

const mebibyte = 1024 * 1024;
const ofLoad: Bound = [1.25, 10];

/** Under load everything varies with what happens to be under way: these bounds are of what grows with time. */
const bounds: Readonly<Record<Measure, Bound>> = {
  memoryBytes: [1, 48 * mebibyte],
  heapBytes: [1, 24 * mebibyte],
  descriptors: ofLoad,
  threads: ofLoad,
  processes: ofLoad,
  // Each container comes with a score of files.
  entries: [1.25, 100],
  mounts: ofLoad,
  cgroups: ofLoad,
  namespaces: ofLoad,
  p50Ms: [1.5, 5],
  p99Ms: [2, 25],
};

/** How far these rise is up to the collector, which may wait for a quarter of an hour; what leaks is in what is left. */
export const collected: ReadonlySet<string> = new Set<Measure>(["memoryBytes", "heapBytes"]);

/** How each measure went. @throws RangeError for fewer than three samples. */
export function driftsOf(samples: readonly Sample[]): Drift[] {
  const third = Math.floor(samples.length / 3);
  const measures = Object.entries(bounds) as [Measure, Bound][];
  return measures.map(([measure, [times, more]]) => {
    const first = levelOf(samples.slice(0, third), measure);
    const last = levelOf(samples.slice(-third), measure);
    const most = first * times + more;
    return { measure, first, last, most, perHour: slopeOf(samples, measure), holds: last <= most };
  });
}

function levelOf(samples: readonly Sample[], measure: Measure): number {
  const values = samples.map((sample) => sample[measure]).toSorted((a, b) => a - b);
  return percentile(values, collected.has(measure) ? 10 : 50);
}

/** By least squares. */
function slopeOf(samples: readonly Sample[], measure: Measure): number {
  const hours = samples.map(({ atMs }) => atMs / 3_600_000);
  const [middle, level] = [meanOf(hours), meanOf(samples.map((sample) => sample[measure]))];
  const spread = hours.reduce((sum, hour) => sum + (hour - middle) ** 2, 0);
  const common = samples.reduce(
    (sum, sample, n) => sum + ((hours[n] ?? 0) - middle) * (sample[measure] - level),
    0,
  );
  return spread === 0 ? 0 : common / spread;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
