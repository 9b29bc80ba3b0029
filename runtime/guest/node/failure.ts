import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { type GuestError, maxErrorTextLength, type TaskEntry } from "../messages.ts";

const { stringify } = JSON;

/** The name that the runner's own frames bear in a stack. */
const runnerFrame = "runlet:runner";

const maxNameLength = 200;
const maxCheckedFiles = 200;

/** Describes anything that was thrown, in bounded texts; never throws itself. */
export function describeThrown(
  thrown: unknown,
  maxLength: number = maxErrorTextLength,
): GuestError {
  const name = textOf(() => (isErrorLike(thrown) ? thrown.name : "Error")) || "Error";
  const message = textOf(() => (isErrorLike(thrown) ? thrown.message : describeValue(thrown)));
  const stack = textOf(() => (isErrorLike(thrown) ? thrown.stack : undefined));
  return {
    name: cut(name, maxNameLength),
    message: cut(message, maxLength),
    ...(stack === "" ? {} : { stack: cut(withoutRunner(stack), maxLength) }),
  };
}

/**
 * As {@link describeThrown}, of an error while loading. Node does not say where a syntax error in a module
 * is, so the parser that strips types is asked.
 */
export function describeLoadError(
  thrown: unknown,
  root: string,
  entries: readonly TaskEntry[],
): GuestError {
  const described = describeThrown(thrown);
  const isPlaced = /^\S.*:\d+$/m.test(described.stack?.split("\n", 1)[0] ?? "");
  if (described.name !== "SyntaxError" || isPlaced) return described;
  const place = syntaxErrorPlace(root, entries);
  if (place === undefined) return described;
  return { ...described, stack: cut(`${place}\n\n${described.stack ?? ""}`, maxErrorTextLength) };
}

function syntaxErrorPlace(root: string, entries: readonly TaskEntry[]): string | undefined {
  const sources = entries
    .map((entry) => entry.path)
    .filter((path) => /\.[mc]?[jt]s$/.test(path) && !path.includes("node_modules/"));
  for (const path of sources.slice(0, maxCheckedFiles)) {
    const file = join(root, path);
    try {
      stripTypeScriptTypes(readFileSync(file, "utf8"), { sourceUrl: file });
    } catch (error) {
      const [place] = textOf(() => (error as Error).stack).split("\n\n", 1);
      if (place?.startsWith(`${file}:`) === true) return place;
    }
  }
  return undefined;
}

function isErrorLike(thrown: unknown): thrown is Error {
  return typeof thrown === "object" && thrown !== null && "message" in thrown;
}

function describeValue(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return stringify(value);
}

/** User code may have getters and proxies that throw, or answer other things than text. */
function textOf(read: () => unknown): string {
  try {
    const value = read();
    return value === undefined ? "" : describeValue(value);
  } catch {
    return "(unreadable)";
  }
}

function withoutRunner(stack: string): string {
  const lines = stack.split("\n");
  const first = lines.findIndex((line) => line.startsWith("    at ") && line.includes(runnerFrame));
  return first < 0 ? stack : lines.slice(0, first).join("\n");
}

function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  return `${text.slice(0, maxLength)}… [${text.length - maxLength} more characters]`;
}
