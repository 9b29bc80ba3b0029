import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TaskEntry } from "../messages.ts";

/**
 * Writes the code below `root`; the files' bytes stand in `body` one after the other. Links come last, so
 * that no file is written through one.
 * @throws an InvalidTask error for a path or a link that leaves `root`, or a body of another size.
 */
export function writeTask(root: string, entries: readonly TaskEntry[], body: Uint8Array): void {
  const links = new Map<string, string>();
  for (const entry of entries) {
    checkPath(entry.path);
    if ("link" in entry) links.set(entry.path, checkedTarget(entry.path, entry.link));
  }
  for (const { path } of entries) checkParents(path, links);
  const made = new Set<string>();
  const makeParent = (path: string): string => {
    const parent = dirname(join(root, path));
    if (!made.has(parent)) mkdirSync(parent, { recursive: true });
    made.add(parent);
    return join(root, path);
  };
  mkdirSync(root, { recursive: true });
  let offset = 0;
  for (const entry of entries) {
    if ("link" in entry) continue;
    const end = offset + entry.size;
    if (!(entry.size >= 0) || end > body.length) throw invalid("files are larger than the body");
    const bytes = body.subarray(offset, end);
    writeFileSync(makeParent(entry.path), bytes, { mode: entry.mode & 0o777 });
    offset = end;
  }
  if (offset !== body.length) throw invalid("files are smaller than the body");
  for (const [path, target] of links) symlinkSync(target, makeParent(path));
}

function checkPath(path: string): void {
  if (path.includes("\0")) throw invalid(`path ${JSON.stringify(path)} has a NUL`);
  const isPlain = path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!isPlain) throw invalid(`path ${JSON.stringify(path)} is not a plain relative path`);
}

/**
 * A target may only go up first and down afterwards, and never above the root. Since every link stands in a
 * real directory, such targets stay inside whatever other links they pass.
 */
function checkedTarget(path: string, target: string): string {
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const ups = parts.findIndex((part) => part !== "..");
  const up = ups < 0 ? parts.length : ups;
  const depth = path.split("/").length - 1;
  const isInside = !target.startsWith("/") && up <= depth && !parts.includes("..", up);
  if (!isInside || target.includes("\0") || target === "") {
    throw invalid(`link ${JSON.stringify(path)} to ${JSON.stringify(target)} leaves the task`);
  }
  return target;
}

function checkParents(path: string, links: ReadonlyMap<string, string>): void {
  for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) {
    if (links.has(parent)) throw invalid(`path ${JSON.stringify(path)} is below a link`);
  }
}

function invalid(fact: string): Error {
  const error = new Error(`Cannot write task: ${fact}`);
  error.name = "InvalidTask";
  return error;
}
