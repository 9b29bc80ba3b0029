import { lstat, mkdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { RunletError } from "../errors.ts";

const maxLinks = 40;

/**
 * The parts of an entry's path; a leading slash means the root of the tree.
 * @throws `invalid_argument` for a path that climbs, which no honest archive has.
 */
export function partsOf(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refusedEntry(path, "its path leaves the root");
  return parts;
}

/** The error for an entry that is not taken. */
export function refusedEntry(path: string, fact: string): RunletError {
  return new RunletError(
    "invalid_argument",
    `Cannot use entry ${JSON.stringify(path)} of the image: ${fact}`,
  );
}

/**
 * Follows a path below `root` as a process would whose root directory that is: absolute links begin at
 * `root` and `..` ends there. Answers a path of the host without any link in it. What is missing is made as a
 * directory if `create` is set, and answered as undefined if not.
 * @throws `invalid_argument` if a file stands where a directory is needed, or links run in a circle.
 */
export async function followWithin(
  root: string,
  parts: readonly string[],
  options: { create: boolean },
): Promise<string | undefined> {
  const pending = parts.toReversed();
  const done: string[] = [];
  let links = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      done.pop();
      continue;
    }
    const at = join(root, ...done, part);
    const stats = await lstat(at).catch(ignoreMissing);
    if (stats === undefined) {
      if (!options.create) return undefined;
      await mkdir(at, { mode: 0o755 });
    } else if (stats.isSymbolicLink()) {
      if (++links > maxLinks) throw refusedEntry(parts.join("/"), "too many symbolic links");
      const target = await readlink(at);
      if (target.startsWith("/")) done.length = 0;
      pending.push(...target.split("/").toReversed());
      continue;
    } else if (!stats.isDirectory() && (options.create || pending.length > 0)) {
      throw refusedEntry(parts.join("/"), `${part} is not a directory`);
    }
    done.push(part);
  }
  return join(root, ...done);
}

/** For `lstat(…).catch`: a missing file is no error. */
export function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
}
