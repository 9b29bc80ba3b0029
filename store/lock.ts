import Sqlite from "better-sqlite3";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Another process, or another part of this one, serves the data directory. */
export class DataDirectoryLockedError extends Error {
  override readonly name = "DataDirectoryLockedError";
  readonly directory: string;
  /** The process that holds the lock; undefined if it has not said so yet. */
  readonly holderPid: number | undefined;

  constructor(directory: string, holderPid: number | undefined) {
    const holder = holderPid === undefined ? "another process" : `process ${holderPid}`;
    super(
      `Cannot lock ${directory}: ${holder} serves it already. ` +
        "Stop that server, or choose another data directory",
    );
    this.directory = directory;
    this.holderPid = holderPid;
  }
}

/**
 * Takes the data directory for this process, at once or not at all; makes the directory if it is missing.
 * The lock is the kernel's and ends with the process, however that ends. Dispose it to release it.
 * @throws DataDirectoryLockedError if the directory is taken.
 */
export function lockDataDirectory(directory: string): Disposable {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Beside the lock and not in it: a process that closes any descriptor of a file loses its locks on it.
  const pidFile = join(directory, "lock.pid");
  using stack = new DisposableStack();
  const file = new Sqlite(join(directory, "lock.db"), { timeout: 0 });
  stack.defer(() => file.close());
  try {
    file.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    if (!isBusy(error)) throw error;
    throw new DataDirectoryLockedError(directory, readPid(pidFile));
  }
  stack.defer(() => removeIfPossible(pidFile));
  writeFileSync(pidFile, `${process.pid}\n`);
  return stack.move();
}

/** A disk that has turned read-only keeps it, which does no harm: it names a process that is gone. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // As said.
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && error.code === "SQLITE_BUSY";
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
    return Number.isInteger(pid) && isAlive(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** A holder that was killed leaves its number behind until the next one writes its own. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
