import type { Command } from "commander";
import type { Page } from "../client/methods.ts";
import { type ServerOptions, wholeNumber } from "./options.ts";
import { type Columns, printJson, printTable } from "./output.ts";

interface Listed<T> {
  columns: Columns<T>;
  /** What is said on stderr where there are none. */
  none: string;
  /** The option that the next page is asked for with. */
  cursor: "--after" | "--before";
}

/** Gives a command that lists by name `--limit` and `--after`. */
export function withPageAfter<T extends Command>(command: T, what = "name"): T {
  return withLimit(command, 50).option(`--after <${what}>`, `start after this ${what}`);
}

/** Gives a command that lists from the newest `--limit` and `--before`. */
export function withPageBefore<T extends Command>(command: T, what: string): T {
  return withLimit(command, 20).option("--before <id>", `start before this ${what}`);
}

/** Those of the options that a list is asked for with. */
export function queryOf<T extends ServerOptions>(options: T): Omit<T, keyof ServerOptions> {
  const { url: _url, json: _json, ...query } = options;
  return query;
}

/** Prints a page for programs, or in columns with how to see the rest. */
export function printPage<T>(
  page: Page<T>,
  { json }: ServerOptions,
  { columns, none, cursor }: Listed<T>,
): void {
  if (json) return printJson(page);
  printTable(columns, page.items, none);
  if (page.next === undefined) return;
  process.stderr.write(`There are more: add ${cursor} ${page.next}\n`);
}

/** Gives a command that lists `--limit`. */
export function withLimit<T extends Command>(command: T, limit: number): T {
  return command.option("--limit <n>", "how many, at most 200", wholeNumber, limit);
}
