import type { Host } from "./host.ts";
import { summarize, type Summary } from "./statistics.ts";

/** The samples of Runlet or of a peer, and what else is to be told of them. */
export type Series = Summary & { readonly name: string } & {
  readonly [fact: string]: number | string;
};

/** Whether a promise held in this run; undefined where the peer that it speaks of was not there. */
export interface Verdict {
  readonly promise: string;
  readonly figure: string;
  readonly holds: boolean | undefined;
  /** Not a matter of speed: a run in which it does not hold fails. */
  readonly isExact?: boolean;
}

/** A peer that was not measured, and why. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

/** What a bench has measured: samples by series name, `runlet` being the one that the promise is about. */
export interface Measurement {
  readonly name: string;
  readonly unit: string;
  readonly better: "lower" | "higher";
  readonly samples: ReadonlyMap<string, readonly number[]>;
  readonly facts?: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** Reads the verdicts off the finished result. */
  readonly judge?: (result: Pick<BenchResult, "series" | "ratios">) => Verdict[];
}

/** One element of what `--json` prints. */
export interface BenchResult {
  readonly name: string;
  readonly unit: string;
  readonly better: "lower" | "higher";
  readonly series: readonly Series[];
  /** How many times better Runlet's median is than that of each other series. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly promises: readonly Verdict[];
  readonly skipped: readonly Skipped[];
  readonly host: Host;
}

/** Makes the result of a measurement. */
export function resultOf(
  measurement: Measurement,
  { host, skipped }: Pick<BenchResult, "host" | "skipped">,
): BenchResult {
  const { name, unit, better, samples, facts, judge } = measurement;
  const series = [...samples].map(([of, all]): Series => {
    return { ...facts?.get(of), name: of, ...summarize(all) };
  });
  const measured = { series, ratios: ratiosOf(series, better) };
  return { name, unit, better, ...measured, promises: judge?.(measured) ?? [], skipped, host };
}

/** The series of that name. @throws Error if there is none. */
export function seriesOf(result: Pick<BenchResult, "series">, name: string): Series {
  const found = result.series.find((series) => series.name === name);
  if (found === undefined) throw new Error(`A result has no series ${name}`);
  return found;
}

/** `peer@variant` is set against `runlet@variant` where there is one, else against `runlet`. */
function ratiosOf(
  series: readonly Series[],
  better: BenchResult["better"],
): Readonly<Record<string, number>> {
  const medians = new Map(series.map(({ name, p50 }) => [name, p50]));
  const ratios: Record<string, number> = {};
  for (const [name, theirs] of medians) {
    const [subject, variant] = name.split("@");
    if (subject === "runlet") continue;
    const ours = medians.get(`runlet@${variant}`) ?? medians.get("runlet") ?? 0;
    const ratio = better === "lower" ? theirs / ours : ours / theirs;
    if (Number.isFinite(ratio)) ratios[name] = ratio;
  }
  return ratios;
}
