import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** What was saved of a sandbox as it is on record; its memory and files are in a directory of its id. */
export interface SnapshotRow {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string | null;
  readonly metadata: string;
  /** `lost` where its files are gone. */
  readonly state: string;
  readonly image: string;
  /** What the sandbox was open with, as JSON. */
  readonly spec: string;
  readonly runscRelease: string;
  readonly sizeBytes: number;
  readonly createdAtUs: number;
}

export interface SnapshotQuery {
  sandboxId?: string | undefined;
  name?: string | undefined;
  /** Each of these must be in the metadata as it is. */
  metadata: Readonly<Record<string, string>>;
  before: string;
  limit: number;
}

const columns = `id, sandbox_id AS sandboxId, name, metadata, state, image, spec,
  runsc_release AS runscRelease, size_bytes AS sizeBytes, created_at_us AS createdAtUs`;

/** Snapshots of sandboxes. */
export class SnapshotStore {
  readonly #insert: Sqlite.Statement<[SnapshotRow]>;
  readonly #get: Sqlite.Statement<[string], SnapshotRow>;
  readonly #list: Sqlite.Statement<[object], SnapshotRow>;
  readonly #lose: Sqlite.Statement<[string]>;
  readonly #delete: Sqlite.Statement<[string]>;
  readonly #ids: Sqlite.Statement<[], string>;
  readonly #ofImage: Sqlite.Statement<[string, number], string>;
  readonly #total: Sqlite.Statement<[], { count: number; bytes: number }>;

  constructor({ connection }: Database) {
    this.#insert = connection.prepare(
      `INSERT INTO snapshots
         (id, sandbox_id, name, metadata, state, image, spec, runsc_release, size_bytes, created_at_us)
       VALUES
         (@id, @sandboxId, @name, @metadata, @state, @image, @spec, @runscRelease, @sizeBytes, @createdAtUs)`,
    );
    this.#get = connection.prepare(`SELECT ${columns} FROM snapshots WHERE id = ?`);
    this.#list = connection.prepare(
      `SELECT ${columns} FROM snapshots
       WHERE id < @before AND (@sandboxId IS NULL OR sandbox_id = @sandboxId)
         AND (@name IS NULL OR name = @name)
         AND NOT EXISTS (
           SELECT 1 FROM json_each(@metadata) AS wanted
           WHERE json_extract(snapshots.metadata, '$."' || wanted.key || '"') IS NOT wanted.value)
       ORDER BY id DESC LIMIT @limit`,
    );
    this.#lose = connection.prepare("UPDATE snapshots SET state = 'lost' WHERE id = ?");
    this.#delete = connection.prepare("DELETE FROM snapshots WHERE id = ?");
    this.#ids = connection.prepare<[], string>("SELECT id FROM snapshots").pluck();
    this.#ofImage = connection
      .prepare<[string, number], string>(
        "SELECT id FROM snapshots WHERE image = ? AND state = 'ready' ORDER BY id LIMIT ?",
      )
      .pluck();
    this.#total = connection.prepare(
      "SELECT count(*) AS count, coalesce(sum(size_bytes), 0) AS bytes FROM snapshots",
    );
  }

  add(row: SnapshotRow): void {
    this.#insert.run(row);
  }

  get(id: string): SnapshotRow | undefined {
    return this.#get.get(id);
  }

  /** The newest first. */
  list({ sandboxId, name, metadata, ...page }: SnapshotQuery): SnapshotRow[] {
    const wanted = JSON.stringify(metadata);
    return this.#list.all({
      ...page,
      sandboxId: sandboxId ?? null,
      name: name ?? null,
      metadata: wanted,
    });
  }

  /** Notes that the files of a snapshot are gone. */
  markLost(id: string): void {
    this.#lose.run(id);
  }

  /** False if there is none. */
  delete(id: string): boolean {
    return this.#delete.run(id).changes > 0;
  }

  ids(): Set<string> {
    return new Set(this.#ids.all());
  }

  /** Those that need an image, so many at the most. */
  ofImage(image: string, limit: number): string[] {
    return this.#ofImage.all(image, limit);
  }

  /** How many there are, and what they take on the disk. */
  total(): { count: number; bytes: number } {
    return this.#total.get() ?? { count: 0, bytes: 0 };
  }
}
