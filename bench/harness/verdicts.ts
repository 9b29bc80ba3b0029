import { type BenchResult, seriesOf, type Verdict } from "./result.ts";

type Measured = Pick<BenchResult, "series" | "ratios">;

/** Whether Runlet's median, or that of a variant of it, is at most so much. */
export function medianAtMost(
  result: Measured,
  limit: number,
  unit: string,
  name = "runlet",
): Verdict {
  return ofMedian(result, { name, sign: "<=", limit, unit });
}

/** Whether Runlet's median, or that of a variant of it, is at least so much. */
export function medianAtLeast(
  result: Measured,
  limit: number,
  unit: string,
  name = "runlet",
): Verdict {
  return ofMedian(result, { name, sign: ">=", limit, unit });
}

function ofMedian(
  result: Measured,
  { name, sign, limit, unit }: { name: string; sign: "<=" | ">="; limit: number; unit: string },
): Verdict {
  const { p50 } = seriesOf(result, name);
  return {
    promise: `p50${name === "runlet" ? "" : ` of ${name}`} ${sign} ${limit} ${unit}`,
    figure: `${p50.toPrecision(3)} ${unit}`,
    holds: sign === "<=" ? p50 <= limit : p50 >= limit,
  };
}

/** Whether Runlet's mean is at most so much. */
export function meanAtMost(result: Measured, limit: number, unit: string): Verdict {
  const { mean } = seriesOf(result, "runlet");
  return {
    promise: `mean <= ${limit} ${unit}`,
    figure: `${mean.toPrecision(3)} ${unit}`,
    holds: mean <= limit,
  };
}

/** Whether a variant of Runlet's own takes at most so many times what Runlet takes without it. */
export function variantAtMost(
  result: Measured,
  name: string,
  limit: number,
  figure: "p50" | "p99" = "p50",
): Verdict {
  const ratio = seriesOf(result, name)[figure] / seriesOf(result, "runlet")[figure];
  return {
    promise: `${figure} of ${name} <= ${limit} x runlet`,
    figure: `${ratio.toPrecision(3)} x`,
    holds: ratio <= limit,
  };
}

/** Whether Runlet's median is at most so many times that of the least that a variant shows to be possible. */
export function timesVariantAtMost(result: Measured, name: string, limit: number): Verdict {
  const ratio = seriesOf(result, "runlet").p50 / seriesOf(result, name).p50;
  return {
    promise: `p50 <= ${limit} x ${name}`,
    figure: `${ratio.toPrecision(3)} x`,
    holds: ratio <= limit,
  };
}

/** Whether Runlet takes at most so many times what a peer takes, for measurements of time. */
export function costAtMost(result: Measured, peer: string, limit: number): Verdict {
  const { figure, holds } = ratioAtLeast(result, peer, 1 / limit);
  const ratio = result.ratios[peer];
  return {
    promise: `<= ${limit} x ${peer}`,
    figure: ratio === undefined ? figure : `${(1 / ratio).toPrecision(3)} x`,
    holds,
  };
}

/** Whether Runlet is at least so many times as good as a peer, in every variant of it. */
export function ratioAtLeast(result: Measured, peer: string, limit: number): Verdict {
  const ratios = Object.entries(result.ratios).filter(([name]) => name.split("@")[0] === peer);
  const least = Math.min(...ratios.map(([, ratio]) => ratio));
  const isThere = ratios.length > 0;
  return {
    promise: `>= ${limit} x ${peer}`,
    figure: isThere ? `${least.toPrecision(3)} x` : `${peer} was not measured`,
    holds: isThere ? least >= limit : undefined,
  };
}
