import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** The answer to the first call that named a key. */
export interface IdempotencyKeyRow {
  readonly functionName: string;
  readonly key: string;
  /** Tells the same request from another one. */
  readonly requestDigest: string;
  /** All of the answer but its body. */
  readonly answerJson: string;
  readonly body: Uint8Array | null;
  readonly expiresAtUs: number;
}

/** How long a key stands for its first answer. */
export const keptForUs = 24 * 60 * 60 * 1_000_000;

/** How many expired keys go when one comes: more than one, so that the table shrinks. */
const prunedAtOnce = 10;

/** The idempotency keys of callers, each until it expires. */
export class IdempotencyKeyStore {
  readonly #get: Sqlite.Statement<[string, string, number], IdempotencyKeyRow>;
  readonly #put: Sqlite.Statement<[object]>;
  readonly #prune: Sqlite.Statement<[number, number]>;
  readonly #firstExpiry: Sqlite.Statement<[], number | null>;

  constructor({ connection }: Database) {
    this.#get = connection.prepare(
      `SELECT function_name AS functionName, key, request_digest AS requestDigest,
         answer AS answerJson, body, expires_at_us AS expiresAtUs
       FROM idempotency_keys WHERE function_name = ? AND key = ? AND expires_at_us > ?`,
    );
    this.#put = connection.prepare(
      `INSERT OR REPLACE INTO idempotency_keys
         (function_name, key, request_digest, answer, body, expires_at_us)
       VALUES (@functionName, @key, @requestDigest, @answerJson, @body, @expiresAtUs)`,
    );
    this.#prune = connection.prepare(
      `DELETE FROM idempotency_keys WHERE rowid IN (
         SELECT rowid FROM idempotency_keys WHERE expires_at_us <= ? ORDER BY expires_at_us LIMIT ?)`,
    );
    this.#firstExpiry = connection
      .prepare<[], number | null>("SELECT min(expires_at_us) FROM idempotency_keys")
      .pluck();
  }

  /** When the answer was kept that expires first; undefined where there is none. */
  oldestUs(): number | undefined {
    const firstUs = this.#firstExpiry.get() ?? undefined;
    return firstUs && firstUs - keptForUs;
  }

  /** Removes up to `limit` keys that expire before a moment, and answers how many. */
  prune(expiringBeforeUs: number, limit: number): number {
    return this.#prune.run(expiringBeforeUs, limit).changes;
  }

  /** What is kept of a key of a function; undefined where there is nothing, or nothing at `atUs` any more. */
  get(functionName: string, key: string, atUs: number): IdempotencyKeyRow | undefined {
    return this.#get.get(functionName, key, atUs);
  }

  /** Keeps an answer, in the place of an expired one, and removes some keys that have expired at `atUs`. */
  put(row: IdempotencyKeyRow, atUs: number): void {
    this.prune(atUs, prunedAtOnce);
    this.#put.run(row);
  }
}
