import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** What is set for a function beside its versions. */
export interface ConcurrencyRow {
  readonly functionName: string;
  /** How many container slots are kept for it; null without a reservation. */
  readonly reserved: number | null;
  /** How many containers are kept started; null where each version's own configuration counts. */
  readonly provisioned: number | null;
  /** What moment the provisioned count is of, microseconds since the epoch: a later one wins. */
  readonly provisionedAtUs: number;
}

/** The settings of concurrency on record; they go with their function. */
export class ConcurrencyStore {
  readonly #put: Sqlite.Statement<[ConcurrencyRow]>;
  readonly #get: Sqlite.Statement<[string], ConcurrencyRow>;
  readonly #all: Sqlite.Statement<[], ConcurrencyRow>;
  readonly #delete: Sqlite.Statement<[string]>;

  constructor({ connection }: Database) {
    this.#put = connection.prepare(
      `INSERT OR REPLACE INTO function_concurrency
         (function_name, reserved, provisioned, provisioned_at_us)
       VALUES (@functionName, @reserved, @provisioned, @provisionedAtUs)`,
    );
    this.#get = connection.prepare(
      `SELECT ${columns} FROM function_concurrency WHERE function_name = ?`,
    );
    this.#all = connection.prepare(
      `SELECT ${columns} FROM function_concurrency ORDER BY function_name`,
    );
    this.#delete = connection.prepare("DELETE FROM function_concurrency WHERE function_name = ?");
  }

  /** Writes what is set for a function over what was. */
  put(row: ConcurrencyRow): void {
    this.#put.run(row);
  }

  get(functionName: string): ConcurrencyRow | undefined {
    return this.#get.get(functionName);
  }

  /** Those of all functions, by name. */
  all(): ConcurrencyRow[] {
    return this.#all.all();
  }

  /** Forgets what is set for a function; false if nothing is. */
  delete(functionName: string): boolean {
    return this.#delete.run(functionName).changes > 0;
  }
}

const columns = `function_name AS functionName, reserved, provisioned,
  provisioned_at_us AS provisionedAtUs`;
