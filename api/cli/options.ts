import { type Command, InvalidArgumentError, Option } from "commander";
import { Client } from "../client/client.ts";
import { apiKeyFor } from "./api-key.ts";

/** What every command that talks to a server has. */
export interface ServerOptions {
  url: string;
  json?: boolean;
}

/** What one run may use, as it is typed. */
export interface LimitOptions {
  image?: string;
  env?: Record<string, string>;
  timeoutMs?: number;
  memoryBytes?: number;
  cpus?: number;
  pids?: number;
  tmpBytes?: number;
  outputBytes?: number;
}

/** Gives a command that talks to a server `--url` and `--json`, and examples under its help. */
export function withServer<T extends Command>(command: T, examples: readonly string[]): T {
  const port = process.env["RUNLET_PORT"] || "7070";
  const url = process.env["RUNLET_URL"] || `http://127.0.0.1:${port}`;
  return command
    .addOption(new Option("--url <url>", "the server; RUNLET_URL names another").default(url))
    .option("--json", "print JSON, also for an error")
    .addHelpText("after", exampleText(examples));
}

/** Gives a command the options of a run. */
export function withLimits<T extends Command>(command: T): T {
  return command
    .option("--image <name>", "image to run in (default: default)")
    .option("-e, --env <NAME=value>", "environment variable, repeatable", environmentEntry)
    .option("--timeout-ms <n>", "how long a run may take (default: 30000)", wholeNumber)
    .option("--memory-bytes <size>", "memory, such as 512MiB (default: 256MiB)", byteCount)
    .option("--cpus <n>", "share of processors, such as 0.5 (default: 1)", positiveNumber)
    .option("--pids <n>", "processes and threads (default: 128)", wholeNumber)
    .option("--tmp-bytes <size>", "size of /tmp (default: 64MiB)", byteCount)
    .option(
      "--output-bytes <size>",
      "what is kept of stdout and of stderr (default: 1MiB)",
      byteCount,
    );
}

/** Those of the options of a run that were given. */
export function limitsOf(options: LimitOptions): LimitOptions {
  const { image, env, timeoutMs, memoryBytes, cpus, pids, tmpBytes, outputBytes } = options;
  return given({ image, env, timeoutMs, memoryBytes, cpus, pids, tmpBytes, outputBytes });
}

/** A record without what is undefined. */
export function given<T extends object>(all: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(all).filter((entry) => entry[1] !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> };
}

/** Examples as they stand under a help. */
export function exampleText(examples: readonly string[]): string {
  return `\nExamples:\n${examples.map((example) => `  $ ${example}`).join("\n")}`;
}

/** A client of the server that was named. @throws ConnectionError if its URL is none. */
export function clientOf({ url }: ServerOptions, signal?: AbortSignal): Client {
  return new Client({ url, apiKey: apiKeyFor(url), signal });
}

/** Reads a number above zero of an option. */
export function positiveNumber(text: string): number {
  const number = Number(text);
  if (!(number > 0) || !Number.isFinite(number)) {
    throw new InvalidArgumentError("Expected a number above 0.");
  }
  return number;
}

/** Reads a share of an option, 0 to 1. */
export function share(text: string): number {
  const number = text.trim() === "" ? NaN : Number(text);
  if (!(number >= 0 && number <= 1)) throw new InvalidArgumentError("Expected 0 to 1.");
  return number;
}

/** Reads a whole number of an option. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}

/** Reads a size in bytes of an option. */
export function byteCount(text: string): number {
  const [, count, unit = ""] = /^(\d+)(|KiB|MiB|GiB)$/.exec(text) ?? [];
  if (count === undefined)
    throw new InvalidArgumentError("Expected bytes, or a size such as 512MiB.");
  return Number(count) * 1024 ** ["", "KiB", "MiB", "GiB"].indexOf(unit);
}

/** Collects `name=value` options into metadata. */
export function metadataEntry(
  text: string,
  previous: Record<string, string> = {},
): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected name=value.");
  return { ...previous, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Collects `NAME=value` options into a record; `NAME` alone takes the value from our own environment. */
export function environmentEntry(
  text: string,
  previous: Record<string, string> = {},
): Record<string, string> {
  const at = text.indexOf("=");
  const name = at < 0 ? text : text.slice(0, at);
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw new InvalidArgumentError("Expected NAME=value.");
  const value = at < 0 ? process.env[name] : text.slice(at + 1);
  if (value === undefined) throw new InvalidArgumentError(`${name} is not set in the environment.`);
  return { ...previous, [name]: value };
}
