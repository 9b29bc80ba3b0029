import { randomUUID } from "node:crypto";
import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** One immutable version of a function. */
export interface FunctionVersionRow {
  readonly functionName: string;
  readonly version: number;
  readonly configJson: string;
  /** The code, as the code store names it; null for a function without code. */
  readonly codeDigest: string | null;
  /** As the function's own, it is another one after each change. */
  readonly revisionId: string;
  readonly createdAtUs: number;
}

/** A function with its latest version. */
export interface FunctionRow {
  readonly name: string;
  readonly latestVersion: number;
  readonly createdAtUs: number;
  readonly updatedAtUs: number;
  readonly latest: FunctionVersionRow;
}

/** What makes a version. Two configs are the same if their text is. */
export interface NewVersion {
  readonly configJson: string;
  readonly codeDigest: string | null;
  /** When it is made, microseconds since the epoch; now if left out. */
  readonly atUs?: number;
}

/** The functions and their versions on record. */
export class FunctionStore {
  readonly #put: (name: string, version: NewVersion) => { version: number; created: boolean };
  readonly #raise: Sqlite.Statement<[object], number>;
  readonly #insertVersion: Sqlite.Statement<[object]>;
  readonly #latest: Sqlite.Statement<[string], FunctionVersionRow>;
  readonly #version: Sqlite.Statement<[string, number], FunctionVersionRow>;
  readonly #versions: Sqlite.Statement<[string, number, number], FunctionVersionRow>;
  readonly #function: Sqlite.Statement<[string], FlatFunction>;
  readonly #functions: Sqlite.Statement<[string, number], FlatFunction>;
  readonly #delete: (name: string) => boolean;
  readonly #deleteVersion: Sqlite.Statement<[string, number]>;
  readonly #namingDestination: Sqlite.Statement<[object], string>;
  readonly #namingSecret: Sqlite.Statement<[object], FunctionVersionRow>;
  readonly #digests: Sqlite.Statement<[], string>;

  constructor({ connection }: Database) {
    const put = connection.transaction((name: string, version: NewVersion) =>
      this.#putVersion(name, version),
    );
    this.#put = (name, version) => put.immediate(name, version);
    this.#raise = connection
      .prepare<[object], number>(
        `INSERT INTO functions (name, latest_version, created_at_us, updated_at_us)
         VALUES (@name, 1, @atUs, @atUs)
         ON CONFLICT (name) DO UPDATE SET
           latest_version = latest_version + 1,
           created_at_us = iif(@isNew, excluded.created_at_us, created_at_us),
           updated_at_us = excluded.updated_at_us
         RETURNING latest_version`,
      )
      .pluck();
    this.#insertVersion = connection.prepare(
      `INSERT INTO function_versions
         (function_name, version, config, code_digest, revision_id, created_at_us)
       VALUES (@name, @version, @configJson, @codeDigest, @revisionId, @atUs)`,
    );
    this.#latest = connection.prepare(
      `SELECT ${versionColumns} FROM ${functionWithLatest} WHERE f.name = ?`,
    );
    this.#version = connection.prepare(
      `SELECT ${versionColumns} FROM function_versions v WHERE function_name = ? AND version = ?`,
    );
    this.#versions = connection.prepare(
      `SELECT ${versionColumns} FROM function_versions v WHERE function_name = ? AND version < ?
       ORDER BY version DESC LIMIT ?`,
    );
    this.#function = connection.prepare(
      `SELECT ${flatColumns} FROM ${functionWithLatest} WHERE f.name = ?`,
    );
    this.#functions = connection.prepare(
      `SELECT ${flatColumns} FROM ${functionWithLatest} WHERE f.name > ? ORDER BY f.name LIMIT ?`,
    );
    const deleteAliases = connection.prepare("DELETE FROM aliases WHERE function_name = ?");
    const deleteConcurrency = connection.prepare(
      "DELETE FROM function_concurrency WHERE function_name = ?",
    );
    const deleteVersions = connection.prepare(
      "DELETE FROM function_versions WHERE function_name = ?",
    );
    const deleteAll = connection.transaction((name: string): boolean => {
      deleteAliases.run(name);
      deleteConcurrency.run(name);
      return deleteVersions.run(name).changes > 0;
    });
    this.#delete = (name) => deleteAll.immediate(name);
    this.#deleteVersion = connection.prepare(
      "DELETE FROM function_versions WHERE function_name = ? AND version = ?",
    );
    this.#namingSecret = connection.prepare(
      `SELECT ${versionColumns} FROM function_versions v
       WHERE EXISTS (SELECT 1 FROM json_each(v.config, '$.secrets') s WHERE s.value = @secret)
         OR v.config ->> '$.async.onSuccess.secret' = @secret
         OR v.config ->> '$.async.onFailure.secret' = @secret
       ORDER BY function_name, version`,
    );
    this.#namingDestination = connection
      .prepare<[object], string>(
        `SELECT f.name FROM ${functionWithLatest}
         WHERE ${isNamedAt("$.async.onSuccess.function")} OR ${isNamedAt("$.async.onFailure.function")}
         ORDER BY f.name LIMIT @limit`,
      )
      .pluck();
    this.#digests = connection
      .prepare<[], string>(
        "SELECT DISTINCT code_digest FROM function_versions WHERE code_digest IS NOT NULL",
      )
      .pluck();
  }

  /**
   * Adds a version, and the function if it is new, unless the latest version is the same already. A number
   * is never given twice, not even after the function was deleted.
   * @throws Error if the config is not JSON.
   */
  putVersion(name: string, version: NewVersion): { version: number; created: boolean } {
    return this.#put(name, version);
  }

  /** One version, the latest if none is named; undefined if there is no such function or version. */
  get(name: string, version?: number): FunctionVersionRow | undefined {
    return version === undefined ? this.#latest.get(name) : this.#version.get(name, version);
  }

  /** The function with its latest version. */
  describe(name: string): FunctionRow | undefined {
    const row = this.#function.get(name);
    return row && unflatten(row);
  }

  /** A page of functions by name, those behind the name `after`. */
  list({ limit, after = "" }: { limit: number; after?: string | undefined }): FunctionRow[] {
    return this.#functions.all(after, limit).map(unflatten);
  }

  /** A page of versions, newest first, those older than the version `before`. */
  listVersions(
    name: string,
    { limit, before = Number.MAX_SAFE_INTEGER }: { limit: number; before?: number | undefined },
  ): FunctionVersionRow[] {
    return this.#versions.all(name, before, limit);
  }

  /** Deletes a function with all versions and aliases; false if there is none. Its invocations stay on record. */
  delete(name: string): boolean {
    return this.#delete(name);
  }

  /**
   * Deletes one version; false if there is none. With its latest version, a function would be gone.
   * @throws Error if an alias names it.
   */
  deleteVersion(name: string, version: number): boolean {
    return this.#deleteVersion.run(name, version).changes > 0;
  }

  /** The versions whose config names a secret. */
  versionsNamingSecret(secret: string): FunctionVersionRow[] {
    return this.#namingSecret.all({ secret });
  }

  /** The functions whose latest version names a function, or `name:qualifier`, as a destination of its events, up to `limit`. */
  namingDestination(name: string, limit: number): string[] {
    return this.#namingDestination.all({ name, limit });
  }

  /** The digests of all code that a version refers to. */
  codeDigestsInUse(): Set<string> {
    return new Set(this.#digests.all());
  }

  #putVersion(name: string, next: NewVersion): { version: number; created: boolean } {
    const { configJson, codeDigest, atUs = Date.now() * 1000 } = next;
    const latest = this.#latest.get(name);
    if (latest?.configJson === configJson && latest.codeDigest === codeDigest) {
      return { version: latest.version, created: false };
    }
    const version = this.#raise.get({ name, atUs, isNew: latest === undefined ? 1 : 0 }) as number;
    const revisionId = randomUUID();
    this.#insertVersion.run({ name, version, configJson, codeDigest, revisionId, atUs });
    return { version, created: true };
  }
}

const functionWithLatest = `functions f JOIN function_versions v
  ON v.function_name = f.name AND v.version = f.latest_version`;

/** A name is followed by its qualifier, if any. */
function isNamedAt(path: string): string {
  return `substr((v.config ->> '${path}') || ':', 1, length(@name) + 1) = @name || ':'`;
}

const versionColumns = `v.function_name AS functionName, v.version AS version,
  v.config AS configJson, v.code_digest AS codeDigest, v.revision_id AS revisionId,
  v.created_at_us AS createdAtUs`;

const flatColumns = `${versionColumns},
  f.created_at_us AS functionCreatedAtUs, f.updated_at_us AS updatedAtUs`;

interface FlatFunction extends FunctionVersionRow {
  readonly functionCreatedAtUs: number;
  readonly updatedAtUs: number;
}

function unflatten({ functionCreatedAtUs, updatedAtUs, ...latest }: FlatFunction): FunctionRow {
  return {
    name: latest.functionName,
    latestVersion: latest.version,
    createdAtUs: functionCreatedAtUs,
    updatedAtUs,
    latest,
  };
}
