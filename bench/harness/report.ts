import { figure } from "./figure.ts";
import type { BenchResult, Verdict } from "./result.ts";

/** The head of {@link rowsOf}. */
export const heads = [
  "series",
  "n",
  "min",
  "p50",
  "p95",
  "p99",
  "max",
  "mean",
  "ratio",
  "facts",
] as const;

/** The series of a result as rows of text. */
export function rowsOf({ series, ratios }: BenchResult): string[][] {
  return series.map(({ name, n, min, p50, p95, p99, max, mean, ...facts }) => {
    const ratio = ratios[name];
    const better = ratio === undefined ? "" : `${figure(ratio)} x`;
    const told = Object.entries(facts).map(([fact, value]) => {
      return `${fact} ${Number.isInteger(value) ? value : figure(Number(value))}`;
    });
    return [
      name,
      String(n),
      ...[min, p50, p95, p99, max, mean].map(figure),
      better,
      told.join(", "),
    ];
  });
}

/** A result as text for a terminal. */
export function report(result: BenchResult): string {
  const rows = [[...heads], ...rowsOf(result)];
  const widths = heads.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const isText = column === 0 || column === heads.length - 1;
        return isText ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd();
  return [
    `${result.name} (${result.unit}, ${result.better} is better)`,
    ...rows.map((row) => `  ${line(row)}`),
    ...result.promises.map((verdict) => `  ${verdictText(verdict)}`),
    ...result.skipped.map(({ name, reason }) => `  skipped ${name}: ${reason}`),
    "",
  ].join("\n");
}

/** A verdict in one line. */
export function verdictText({ promise, figure: found, holds }: Verdict): string {
  if (holds === undefined) return `promise not judged: ${promise}: ${found}`;
  return `promise ${holds ? "holds" : "does not hold"}: ${promise}: ${found}`;
}
