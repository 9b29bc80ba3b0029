import Sqlite from "better-sqlite3";
import { statSync } from "node:fs";
import { migrate } from "./migrations.ts";

/** The open record. Disposing it closes the file; dispose it after everything that was built on it. */
export interface Database extends Disposable {
  /** The connection itself, for the classes of this folder only. */
  readonly connection: Sqlite.Database;
  /** What the file takes on the disk, with the log of its last writes. */
  sizeBytes(): number;
  /** What of the file holds something: what was removed leaves room in it that is used again. */
  usedBytes(): number;
  /** What is wrong with the file, one line a finding; empty if it is sound. Reads the whole file. */
  findDamage(): string[];
  /** Writes what is there already, so as to see whether it can be written. @throws where it cannot. */
  touch(): void;
}

/**
 * Opens the record at `path`, makes it if it is missing, and brings its schema up to date.
 * @throws Error if the file is no record, or was written by a Runlet with a newer schema.
 */
export function openDatabase(path: string): Database {
  const connection = connect(path);
  return {
    connection,
    sizeBytes: () => sizeOf(path) + sizeOf(`${path}-wal`),
    usedBytes: () => usedBytes(connection),
    findDamage: () => findDamage(connection),
    touch: () => touch(connection),
    [Symbol.dispose]: () => void connection.close(),
  };
}

/** How long opening waits for another process, as while that one has the log of its writes put in order. */
const openTimeoutMs = 5_000;
/** How long a statement does: the whole server stands still meanwhile. */
const busyTimeoutMs = 100;
const walBytesKept = 64 * 1024 * 1024;

function connect(path: string): Sqlite.Database {
  using stack = new DisposableStack();
  try {
    const connection = stack.adopt(new Sqlite(path, { timeout: openTimeoutMs }), (it) =>
      it.close(),
    );
    connection.pragma("journal_mode = WAL");
    // In WAL mode NORMAL loses nothing when the process dies; a loss of power may cost the last commits.
    connection.pragma("synchronous = NORMAL");
    connection.pragma(`journal_size_limit = ${walBytesKept}`);
    connection.pragma("trusted_schema = OFF");
    // A migration may rebuild a table that others refer to, which only works while the keys are not enforced.
    connection.pragma("foreign_keys = OFF");
    migrate(connection);
    connection.pragma("foreign_keys = ON");
    connection.pragma(`busy_timeout = ${busyTimeoutMs}`);
    stack.move();
    return connection;
  } catch (error) {
    const fact = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot open the record ${path}: ${fact}`, { cause: error });
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function usedBytes(connection: Sqlite.Database): number {
  const [pages, free, pageBytes] = ["page_count", "freelist_count", "page_size"].map(
    (name) => connection.pragma(name, { simple: true }) as number,
  ) as [number, number, number];
  return (pages - free) * pageBytes;
}

function touch(connection: Sqlite.Database): void {
  const write = connection.transaction(() => {
    const version = connection.pragma("user_version", { simple: true }) as number;
    connection.pragma(`user_version = ${version}`);
  });
  write.immediate();
}

function findDamage(connection: Sqlite.Database): string[] {
  try {
    const pages = connection.pragma("integrity_check") as { integrity_check: string }[];
    const keys = connection.pragma("foreign_key_check") as { table: string; rowid: number }[];
    return [
      ...pages.map((row) => row.integrity_check).filter((line) => line !== "ok"),
      ...keys.map((row) => `row ${row.rowid} of ${row.table} refers to nothing`),
    ];
  } catch (error) {
    if (error instanceof Sqlite.SqliteError) return [error.message];
    throw error;
  }
}
