import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { getSystemErrorMessage } from "node:util";

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

/** What the system says of an error of its own. */
export function factOf(cause: unknown): string {
  const { errno } = cause as NodeJS.ErrnoException;
  return errno === undefined ? String(cause) : getSystemErrorMessage(errno);
}
