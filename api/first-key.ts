import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import type { Logger } from "pino";
import type { Keys } from "./domain/keys/keys.ts";
import { firstKeyFile } from "./schema/data-directory.ts";

/**
 * Where no key is good for making others, makes one and leaves it in a file that only the owner of the data directory
 * reads: not in the log, which is kept and passed on.
 */
export function ensureFirstKey(keys: Keys, dataDirectory: string, log: Logger): void {
  if (keys.has("admin")) return;
  const file = firstKeyFile(dataDirectory);
  const handOver = (key: string): void => write(file, key);
  const { id } = keys.create({ name: "first", scopes: ["admin"], limits: {} }, handOver);
  log.warn({ keyId: id, file }, "made the first key, with the scope admin: it is in the file");
}

/** As a new file, so that nobody who opened an older one reads it. */
function write(path: string, text: string): void {
  rmSync(path, { force: true });
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, `${text}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
