import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** What a build of dependencies made. */
export interface BuildRow {
  /** SHA-256 of all that it was made of. */
  readonly key: string;
  /** What was made, as the code store names it. */
  readonly codeDigest: string;
  /** The build on record. */
  readonly invocationId: string;
}

const keptBuilds = 100;

/** The builds whose results are kept, by what they were made of. */
export class BuildStore {
  readonly #use: Sqlite.Statement<[number, string], BuildRow>;
  readonly #put: Sqlite.Statement<[object]>;
  readonly #prune: Sqlite.Statement<[number]>;
  readonly #digests: Sqlite.Statement<[], string>;

  constructor({ connection }: Database) {
    this.#use = connection.prepare(
      `UPDATE builds SET used_at_us = ? WHERE key = ?
       RETURNING key, code_digest AS codeDigest, invocation_id AS invocationId`,
    );
    this.#put = connection.prepare(
      `INSERT OR REPLACE INTO builds (key, code_digest, invocation_id, used_at_us)
       VALUES (@key, @codeDigest, @invocationId, @atUs)`,
    );
    this.#prune = connection.prepare(
      `DELETE FROM builds WHERE key NOT IN (
         SELECT key FROM builds ORDER BY used_at_us DESC LIMIT ?)`,
    );
    this.#digests = connection.prepare<[], string>("SELECT code_digest FROM builds").pluck();
  }

  /** The build of a key, which is kept longer for it; undefined where there is none. */
  use(key: string, atUs: number): BuildRow | undefined {
    return this.#use.get(atUs, key);
  }

  /** Keeps a build, and forgets those that were not used for the longest time. */
  put(row: BuildRow, atUs: number): void {
    this.#put.run({ ...row, atUs });
    this.#prune.run(keptBuilds);
  }

  /** The digests of all that builds made. */
  codeDigests(): Set<string> {
    return new Set(this.#digests.all());
  }
}
