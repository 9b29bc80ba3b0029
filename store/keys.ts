import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** An API key as it is on record, without the key itself; times are microseconds since the epoch. */
export interface KeyRow {
  readonly id: string;
  /** SHA-256 of the key. */
  readonly hash: Buffer;
  readonly name: string;
  /** JSON, as are the limits. */
  readonly scopes: string;
  readonly limits: string;
  readonly createdAtUs: number;
  readonly expiresAtUs: number | null;
  readonly revokedAtUs: number | null;
  readonly lastUsedAtUs: number | null;
}

const columns = `id, hash, name, scopes, limits, created_at_us AS createdAtUs,
  expires_at_us AS expiresAtUs, revoked_at_us AS revokedAtUs, last_used_at_us AS lastUsedAtUs`;

/** API keys by id, those that were revoked among them. */
export class KeyStore {
  readonly #insert: Sqlite.Statement<[KeyRow]>;
  readonly #all: Sqlite.Statement<[], KeyRow>;
  readonly #revoke: Sqlite.Statement<[number, string]>;
  readonly #remove: Sqlite.Statement<[string]>;
  readonly #touch: Sqlite.Statement<[number, string]>;

  constructor({ connection }: Database) {
    this.#insert = connection.prepare(
      `INSERT INTO keys
         (id, hash, name, scopes, limits, created_at_us, expires_at_us, revoked_at_us, last_used_at_us)
       VALUES
         (@id, @hash, @name, @scopes, @limits, @createdAtUs, @expiresAtUs, @revokedAtUs, @lastUsedAtUs)`,
    );
    this.#all = connection.prepare(`SELECT ${columns} FROM keys ORDER BY id`);
    this.#revoke = connection.prepare(
      "UPDATE keys SET revoked_at_us = ? WHERE id = ? AND revoked_at_us IS NULL",
    );
    this.#remove = connection.prepare("DELETE FROM keys WHERE id = ?");
    this.#touch = connection.prepare("UPDATE keys SET last_used_at_us = ? WHERE id = ?");
  }

  add(row: KeyRow): void {
    this.#insert.run(row);
  }

  /** All of them, the oldest first. */
  all(): KeyRow[] {
    return this.#all.all();
  }

  /** One that is revoked already stays so since then. */
  revoke(id: string, atUs: number): void {
    this.#revoke.run(atUs, id);
  }

  /** Forgets a key. */
  remove(id: string): void {
    this.#remove.run(id);
  }

  /** Keeps when a key was used last. */
  touch(id: string, atUs: number): void {
    this.#touch.run(atUs, id);
  }
}
