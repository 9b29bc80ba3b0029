import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { buffer } from "node:stream/consumers";
import { getSystemErrorMessage } from "node:util";
import { create } from "tar";

/** Reads a file, or standard input to its end where the path is `-`. @throws if it cannot be read. */
export async function readInput(path: string): Promise<Buffer> {
  if (path === "-") return await readStdin();
  try {
    return await readFile(path);
  } catch (cause) {
    throw new Error(`Cannot read ${path}: ${factOf(cause)}`, { cause });
  }
}

/** Reads standard input to its end. */
export async function readStdin(): Promise<Buffer> {
  if (process.stdin.isTTY) process.stderr.write("Reading standard input; Ctrl-D ends it\n");
  return await buffer(process.stdin);
}

/** A directory's content as a tar. */
export function tarOf(
  directory: string,
  options: { gzip?: boolean; portable?: boolean; filter?: (path: string) => boolean } = {},
): AsyncIterable<Uint8Array> {
  return create({ cwd: resolve(directory), ...options }, ["."]);
}

function factOf(cause: unknown): string {
  const { errno } = cause as NodeJS.ErrnoException;
  return errno === undefined ? String(cause) : getSystemErrorMessage(errno);
}
