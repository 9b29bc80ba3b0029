import { styleText } from "node:util";
import { printable } from "./terminal.ts";

/** The columns of a table: each title with what stands below it. */
export type Columns<T> = Readonly<Record<string, (item: T) => string>>;

/** Prints a value for programs. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Tells what a command did: a value for programs, or a line for people. */
export function printDone({ json }: { json?: boolean }, value: unknown, line: string): void {
  if (json) printJson(value);
  else process.stdout.write(`${line}\n`);
}

/** Tells what was made: a value for programs, or its id alone, with what a person may do next. */
export function printMade(options: { json?: boolean }, made: { id: string }, next: string): void {
  printDone(options, made, made.id);
  if (!options.json && process.stdout.isTTY) process.stdout.write(`${next}\n`);
}

/** Tells of a path that is not taken along, and why not. */
export function printLeftOut(path: string, reason: string): void {
  process.stderr.write(`[left out ${printable(`${path}: ${reason}`, { isTTY: true })}]\n`);
}

/** Prints items for people, in columns; says on stderr where there are none. */
export function printTable<T>(columns: Columns<T>, items: readonly T[], none: string): void {
  if (items.length === 0) {
    process.stderr.write(`${none}\n`);
    return;
  }
  const [header = "", ...rows] = tableLines(columns, items);
  process.stdout.write(`${styleText("bold", header)}\n`);
  for (const row of rows) process.stdout.write(`${row}\n`);
}

/** Items in columns, a line each, below a line with the titles. */
export function tableLines<T>(columns: Columns<T>, items: readonly T[]): string[] {
  const rows = items.map((item) => Object.values(columns).map((cell) => cell(item)));
  const header = Object.keys(columns);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [header, ...rows].map(line);
}
