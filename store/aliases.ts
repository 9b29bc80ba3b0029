import { randomUUID } from "node:crypto";
import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** A name for a version of a function, or for two of which the second gets a share of the calls. */
export interface AliasRow {
  readonly functionName: string;
  readonly name: string;
  readonly version: number;
  /** Null, as is its weight, where all calls go to `version`. */
  readonly secondVersion: number | null;
  /** Which share of the calls goes to the second version, 0 to 1. */
  readonly secondWeight: number | null;
  readonly description: string;
  /** Another one after each change. */
  readonly revisionId: string;
  readonly createdAtUs: number;
  readonly updatedAtUs: number;
}

/** What an alias is made of; `atUs` is when, microseconds since the epoch. */
export type AliasChange = Omit<AliasRow, "revisionId" | "createdAtUs" | "updatedAtUs"> & {
  readonly atUs: number;
};

/** The aliases on record. */
export class AliasStore {
  readonly #put: Sqlite.Statement<[object], AliasRow>;
  readonly #get: Sqlite.Statement<[string, string], AliasRow>;
  readonly #page: Sqlite.Statement<[string, string, number], AliasRow>;
  readonly #naming: Sqlite.Statement<[object], string>;
  readonly #versions: Sqlite.Statement<[object], number>;
  readonly #delete: Sqlite.Statement<[string, string]>;

  constructor({ connection }: Database) {
    this.#put = connection.prepare(
      `INSERT INTO aliases VALUES (@functionName, @name, @version, @secondVersion, @secondWeight,
         @description, @revisionId, @atUs, @atUs)
       ON CONFLICT (function_name, name) DO UPDATE SET
         version = excluded.version,
         second_version = excluded.second_version,
         second_weight = excluded.second_weight,
         description = excluded.description,
         revision_id = excluded.revision_id,
         updated_at_us = excluded.updated_at_us
       RETURNING ${columns}`,
    );
    this.#get = connection.prepare(
      `SELECT ${columns} FROM aliases WHERE function_name = ? AND name = ?`,
    );
    this.#page = connection.prepare(
      `SELECT ${columns} FROM aliases WHERE function_name = ? AND name > ? ORDER BY name LIMIT ?`,
    );
    this.#naming = connection
      .prepare<[object], string>(
        `SELECT name FROM aliases WHERE function_name = @functionName
           AND @version IN (version, second_version) ORDER BY name`,
      )
      .pluck();
    this.#versions = connection
      .prepare<[object], number>(
        `SELECT version FROM aliases WHERE function_name = @functionName
         UNION SELECT second_version FROM aliases
           WHERE function_name = @functionName AND second_version IS NOT NULL`,
      )
      .pluck();
    this.#delete = connection.prepare("DELETE FROM aliases WHERE function_name = ? AND name = ?");
  }

  /** Makes an alias or changes the one of that name. @throws Error if a version is not on record. */
  put(change: AliasChange): AliasRow {
    const row = this.#put.get({ ...change, revisionId: randomUUID() });
    if (row === undefined) throw new Error("SQLite answered nothing for an alias that it put");
    return row;
  }

  get(functionName: string, name: string): AliasRow | undefined {
    return this.#get.get(functionName, name);
  }

  /** A page of a function's aliases by name, those behind the name `after`. */
  list(
    functionName: string,
    { limit, after = "" }: { limit: number; after?: string | undefined },
  ): AliasRow[] {
    return this.#page.all(functionName, after, limit);
  }

  /** The names of the aliases that send calls to a version, by name. */
  naming(functionName: string, version: number): string[] {
    return this.#naming.all({ functionName, version });
  }

  /** The versions that aliases of a function send calls to, the oldest first. */
  versionsNamed(functionName: string): number[] {
    return this.#versions.all({ functionName });
  }

  /** Deletes an alias; false if there is none. */
  delete(functionName: string, name: string): boolean {
    return this.#delete.run(functionName, name).changes > 0;
  }
}

const columns = `function_name AS functionName, name, version, second_version AS secondVersion,
  second_weight AS secondWeight, description, revision_id AS revisionId,
  created_at_us AS createdAtUs, updated_at_us AS updatedAtUs`;
