import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";

const keyBytes = 32;

/**
 * The key in a file of 32 bytes, which is made where it is missing and readable by its owner alone.
 * @throws Error if it cannot be read or made, or is of another length.
 */
export function loadKeyFile(path: string): Buffer {
  const key = read(path) ?? make(path);
  if (key.length === keyBytes) return key;
  throw new Error(
    `Cannot use key file ${path}: it has ${key.length} bytes instead of ${keyBytes}. Bring back the right one`,
  );
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** On disk before it is used: what was sealed with a key that is lost is lost too. */
function make(path: string): Buffer {
  const key = randomBytes(keyBytes);
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, key);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return key;
}
