import Sqlite from "better-sqlite3";
import { copyFile, mkdir, open, readdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BuildStore } from "./builds.ts";
import { CodeStore } from "./code-store.ts";
import { openDatabase } from "./database.ts";
import { FunctionStore } from "./functions.ts";
import { lockDataDirectory } from "./lock.ts";
import { isThere } from "./presence.ts";
import { stageBeside } from "./staging.ts";

/** Where a server keeps what a backup is of. */
export interface BackedUp {
  readonly dataDir: string;
  /** Without it, the secrets on record cannot be read. */
  readonly secretKeyFile: string;
}

/** What a backup holds. */
export interface BackupSummary {
  /** Trees of code. */
  readonly codeCount: number;
}

const databaseName = "runlet.db";
const codeName = "code";
const secretKeyName = "secret.key";
/** Files of the data directory that are there or not. */
const firstKeyName = "admin.key";

/**
 * Copies the record at one moment, the code that it refers to and the keys to `target`, which appears once it is
 * whole and on the disk. A server may be at work meanwhile.
 * @throws Error if `target` is there already, or something of it cannot be read or written.
 */
export async function backUp(from: BackedUp, target: string): Promise<BackupSummary> {
  await requireAbsent(target, "Choose another place for the backup");
  await requirePresent(join(from.dataDir, databaseName), "there is no record in it");
  if (!(await isThere(from.secretKeyFile))) {
    throw new Error(
      `Cannot back up ${from.dataDir}: the key of its secrets is not at ${from.secretKeyFile}. Say where it is with RUNLET_SECRET_KEY_FILE`,
    );
  }
  await using staged = await stageBeside(target);
  await copyRecord(join(from.dataDir, databaseName), join(staged.path, databaseName));
  // Code is on disk before the record refers to it, and stays while a server runs.
  const codeCount = await copyCode(staged.path, from.dataDir, staged.path);
  await copyPrivately(from.secretKeyFile, join(staged.path, secretKeyName));
  await copyPrivately(join(from.dataDir, firstKeyName), join(staged.path, firstKeyName));
  await staged.finish();
  await flush(staged.path);
  await rename(staged.path, target);
  await flushOne(dirname(target));
  return { codeCount };
}

/**
 * Puts a backup into a data directory that has no record, after a look at all of it.
 * @throws Error if there is a record or another key, the backup is damaged, or a server has the directory.
 */
export async function restore(backup: string, to: BackedUp): Promise<BackupSummary> {
  const database = join(to.dataDir, databaseName);
  await requirePresent(join(backup, databaseName), "it is no backup");
  using _lock = lockDataDirectory(to.dataDir);
  await requireAbsent(database, "Move it away, or name another data directory");
  const hasSecretKey = await isThere(join(backup, secretKeyName));
  if (hasSecretKey) {
    await requireAbsent(to.secretKeyFile, "Move it away: the backup has a key of its own");
  }
  await using staged = await stageBeside(database);
  await copyFile(join(backup, databaseName), join(staged.path, databaseName));
  requireSound(join(staged.path, databaseName), backup);
  const codeCount = await copyCode(staged.path, backup, to.dataDir);
  if (hasSecretKey) {
    await mkdir(dirname(to.secretKeyFile), { recursive: true, mode: 0o700 });
    await copyPrivately(join(backup, secretKeyName), to.secretKeyFile);
  }
  await copyPrivately(join(backup, firstKeyName), join(to.dataDir, firstKeyName));
  await flush(to.dataDir);
  // Last: where there is a record, all that it refers to is there.
  await rename(join(staged.path, databaseName), database);
  await flushOne(to.dataDir);
  return { codeCount };
}

async function copyRecord(from: string, to: string): Promise<void> {
  const connection = new Sqlite(from, { fileMustExist: true, timeout: 5_000 });
  try {
    // All pages in one step: between two, a server that writes would have it begin again.
    await connection.backup(to, { progress: () => 0x7fff_ffff });
  } finally {
    connection.close();
  }
}

/** Copies what the record in `recordIn` refers to, and answers how many trees that is. */
async function copyCode(recordIn: string, from: string, to: string): Promise<number> {
  using database = openDatabase(join(recordIn, databaseName));
  const digests = new FunctionStore(database)
    .codeDigestsInUse()
    .union(new BuildStore(database).codeDigests());
  const [source, target] = [from, to].map((it) => new CodeStore(join(it, codeName)));
  for (const digest of digests) {
    const files = await source?.read(digest);
    if (files === undefined) throw new Error(`Cannot copy code ${digest}: it is not in ${from}`);
    await target?.put(files);
  }
  return digests.size;
}

function requireSound(path: string, backup: string): void {
  using database = openDatabase(path);
  const damage = database.findDamage();
  if (damage.length > 0) {
    throw new Error(
      `Cannot restore ${backup}: its record is damaged: ${damage.slice(0, 3).join("; ")}`,
    );
  }
}

/** A file that is not there is left out. */
async function copyPrivately(from: string, to: string): Promise<void> {
  if (await isThere(from)) await copyFile(from, to);
}

/** Has the disk hold a directory with all that is in it: what is renamed after that is whole, whatever happens. */
async function flush(directory: string): Promise<void> {
  const inside = await readdir(directory, { withFileTypes: true, recursive: true });
  for (const entry of inside) {
    if (entry.isFile() || entry.isDirectory()) await flushOne(join(entry.parentPath, entry.name));
  }
  await flushOne(directory);
}

async function flushOne(path: string): Promise<void> {
  await using handle = await open(path);
  await handle.sync();
}

async function requireAbsent(path: string, advice: string): Promise<void> {
  if (await isThere(path)) throw new Error(`Cannot write ${path}: it is there already. ${advice}`);
}

async function requirePresent(path: string, fact: string): Promise<void> {
  if (!(await isThere(path))) throw new Error(`Cannot read ${dirname(path)}: ${fact}`);
}
