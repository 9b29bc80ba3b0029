import type { SoakReport } from "./soak.ts";

/** A report as text for a terminal. */
export function textOf({ tally, drifts, kept, surprises }: SoakReport): string {
  const { answered, accepted, sandboxes } = tally;
  const rows = drifts.map(({ measure, first, last, perHour, most, holds }) => [
    measure,
    ...[first, last, most, perHour].map((value) => figureOf(measure, value)),
    verdict(holds),
  ]);
  const idle = kept.map(({ measure, before, after, holds }) => [
    measure,
    ...[before, after, after - before].map((value) => figureOf(measure, value)),
    verdict(holds),
  ]);
  return [
    `${answered} invocations answered, ${accepted} events accepted, ${sandboxes} sandboxes`,
    "",
    ...table([["under load", "first third", "last third", "at most", "an hour", ""], ...rows]),
    "",
    ...table([["idle", "before", "after", "more", ""], ...idle]),
    "",
    ...(surprises.length === 0 ? ["no surprises"] : [`${surprises.length} surprises:`]),
    ...surprises.slice(0, 20),
  ].join("\n");
}

/** Whether nothing drifted, nothing was left, and nobody was told what is not so. */
export function isHeld({ drifts, kept, surprises }: SoakReport): boolean {
  return surprises.length === 0 && [...drifts, ...kept].every((each) => each.holds);
}

function verdict(isSo: boolean): string {
  return isSo ? "holds" : "DOES NOT HOLD";
}

function figureOf(measure: string, value: number): string {
  if (measure.endsWith("Bytes")) return `${(value / 1024 / 1024).toFixed(1)} MiB`;
  return measure.endsWith("Ms") ? `${value.toFixed(1)} ms` : String(Math.round(value));
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, n) => Math.max(...rows.map((row) => row[n]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)))
      .join("  "),
  );
}
