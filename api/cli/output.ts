import { styleText } from "node:util";

/** Prints a value for programs. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Prints rows for people, in columns; says on stderr where there are none. */
export function printTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  none: string,
): void {
  if (rows.length === 0) {
    process.stderr.write(`${none}\n`);
    return;
  }
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  process.stdout.write(`${styleText("bold", line(header))}\n`);
  for (const row of rows) process.stdout.write(`${line(row)}\n`);
}

/** Says on stderr how to see the rest of a list. */
export function tellMore(option: string, next: string | undefined): void {
  if (next !== undefined) process.stderr.write(`There are more: add ${option} ${next}\n`);
}
