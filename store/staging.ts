import Sqlite from "better-sqlite3";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isThere } from "./presence.ts";

/** A directory in which something is made before it appears in its place; disposing it removes what is left in it. */
export interface Staging extends AsyncDisposable {
  readonly path: string;
  /** From now on it is no staging any more: it may be renamed to what it was made for. */
  finish(): Promise<void>;
}

/** Tells a staging directory from what others have put beside it; its lock ends with its process. */
const markName = ".runlet-staging";

/**
 * Makes a directory beside `path`, on the same disk and for its owner alone, and removes those that processes have
 * left there for the same path when they were killed.
 */
export async function stageBeside(path: string): Promise<Staging> {
  const parent = dirname(path);
  const prefix = `.${basename(path)}-`;
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await removeAbandoned(parent, prefix);
  const staged = await mkdtemp(join(parent, prefix));
  const lock = lockIn(staged);
  return {
    path: staged,
    finish: async () => {
      lock?.close();
      await rm(join(staged, markName), { force: true });
    },
    [Symbol.asyncDispose]: async () => {
      lock?.close();
      await rm(staged, { recursive: true, force: true });
    },
  };
}

async function removeAbandoned(parent: string, prefix: string): Promise<void> {
  for (const entry of await readdir(parent, { withFileTypes: true })) {
    const directory = join(parent, entry.name);
    const isNamedSo = entry.isDirectory() && entry.name.startsWith(prefix);
    if (!isNamedSo || !(await isThere(join(directory, markName)))) continue;
    using lock = lockIn(directory);
    if (lock !== undefined) await rm(directory, { recursive: true, force: true });
  }
}

/** Takes the lock of a staging directory; undefined where another process works in it. */
function lockIn(directory: string): (Disposable & { close(): void }) | undefined {
  const file = new Sqlite(join(directory, markName), { timeout: 0 });
  const close = (): void => void file.close();
  try {
    file.exec("BEGIN EXCLUSIVE");
    return { close, [Symbol.dispose]: close };
  } catch (error) {
    close();
    if (error instanceof Sqlite.SqliteError && error.code === "SQLITE_BUSY") return undefined;
    throw error;
  }
}
