import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";
import { horizonQuery, type InvocationFilter, pageQuery } from "./invocation-query.ts";
import {
  blankInvocation,
  columnOf,
  fromSql,
  invocationFields,
  type InvocationPatch,
  type InvocationRow,
  type InvocationSummary,
  type NewInvocation,
  selectList,
  type SqlInvocation,
  toSqlValue,
} from "./invocation-row.ts";
import { rootIdOf } from "./trace-id.ts";

/** Invocations, newest first, without their output. */
export interface InvocationPage {
  readonly rows: readonly InvocationSummary[];
  /** The cursor of the page after this one, which there may be even where this one is short or empty. */
  readonly next?: string;
}

/** How many rows a page looks at for the few that match, so that it holds up the event loop for milliseconds at most. */
const maxRowsWalked = 3000;

/** What of the record may go. Each bound works alone; what is still queued or running stays. */
export interface PruneOptions {
  /** Invocations that were queued before this moment may go, microseconds since the epoch. */
  readonly olderThanUs?: number;
  /** All but so many of the newest may go. */
  readonly keep?: number;
  /** The most that one call removes, so that it does not hold up the event loop; 1000 if left out. */
  readonly limit?: number;
}

/** The invocations on record. */
export class InvocationStore {
  readonly #connection: Sqlite.Database;
  /** Statements by their text: there are as many as callers have kinds of patches and filters. */
  readonly #prepared = new Map<string, Sqlite.Statement>();
  readonly #insert: Sqlite.Statement;
  readonly #get: Sqlite.Statement<[string], SqlInvocation<InvocationRow>>;
  readonly #markLost: Sqlite.Statement<[object]>;
  readonly #oldestFirst: Sqlite.Statement<[], OldRow>;
  readonly #oldestEnded: Sqlite.Statement<[], number>;
  readonly #newestBeyond: Sqlite.Statement<[number], string>;
  readonly #deleteAll: (ids: readonly string[]) => void;

  constructor({ connection }: Database) {
    this.#connection = connection;
    this.#insert = connection.prepare(
      `INSERT INTO invocations (${invocationFields.map(columnOf).join(", ")})
       VALUES (${invocationFields.map(() => "?").join(", ")})`,
    );
    this.#get = connection.prepare(
      `SELECT ${selectList({ withOutput: true })} FROM invocations WHERE id = ?`,
    );
    // What ran was killed with its owner (128 + SIGKILL); what only waited has no exit code. The second
    // condition says nothing new, but lets the index by status serve.
    this.#markLost = connection.prepare(
      `UPDATE invocations SET
         status = 'lost',
         exit_reason = 'lost',
         exit_code = iif(status = 'running', coalesce(exit_code, 137), NULL),
         exited_at_us = iif(status = 'running', coalesce(exited_at_us, max(started_at_us, @atUs)), NULL),
         finished_at_us = max(coalesce(started_at_us, queued_at_us), @atUs)
       WHERE status IN ('queued', 'running') AND status <> 'succeeded'`,
    );
    this.#oldestFirst = connection.prepare(
      "SELECT id, status, queued_at_us AS queuedAtUs FROM invocations ORDER BY id",
    );
    this.#oldestEnded = connection
      .prepare<[], number>(
        `SELECT queued_at_us FROM invocations WHERE status NOT IN ('queued', 'running')
         ORDER BY id LIMIT 1`,
      )
      .pluck();
    this.#newestBeyond = connection
      .prepare<[number], string>("SELECT id FROM invocations ORDER BY id DESC LIMIT 1 OFFSET ?")
      .pluck();
    const deleteOne = connection.prepare<[string]>("DELETE FROM invocations WHERE id = ?");
    const deleteAll = connection.transaction((ids: readonly string[]) => {
      for (const id of ids) deleteOne.run(id);
    });
    this.#deleteAll = (ids) => deleteAll.immediate(ids);
  }

  /** Puts an invocation on record, in whichever status. @throws Error if the id is there already. */
  insert(row: NewInvocation): void {
    const whole: InvocationRow = { ...blankInvocation, ...row };
    this.#insert.run(...invocationFields.map((field) => toSqlValue(whole[field])));
  }

  /**
   * Changes what `patch` names. A status that is an end is never replaced by another one: such a patch
   * changes nothing. False if nothing was changed, that is in this case or if there is no such invocation.
   */
  update(id: string, patch: InvocationPatch): boolean {
    const fields = (Object.keys(patch) as (keyof InvocationPatch)[]).filter(
      (field) => patch[field] !== undefined,
    );
    if (fields.length === 0) return false;
    const sets = fields.map((field) => `${columnOf(field)} = ?`).join(", ");
    const values: unknown[] = fields.map((field) => toSqlValue(patch[field] ?? null));
    values.push(id);
    let guard = "";
    if (patch.status !== undefined) {
      guard = " AND (status IN ('queued', 'running') OR status = ?)";
      values.push(patch.status);
    }
    const sql = `UPDATE invocations SET ${sets} WHERE id = ?${guard}`;
    return this.#prepare(sql).run(...values).changes > 0;
  }

  /** One invocation with its output. */
  get(id: string): InvocationRow | undefined {
    const row = this.#get.get(id);
    return row && fromSql<InvocationRow>(row);
  }

  /** The newest invocations that match, as far as a look at a few thousand rows finds them. */
  page(filter: InvocationFilter): InvocationPage {
    const horizon = this.#horizonOf(filter);
    const since = horizon ?? filter.since;
    const reach = { ...filter, ...(since !== undefined && { since }), limit: filter.limit + 1 };
    const found = this.#select(reach);
    const root = this.#rootOf(reach);
    const rows = root === undefined ? found : [...found, root].sort(newestFirst);
    const page = rows.slice(0, filter.limit);
    const next = rows.length > filter.limit ? page.at(-1)?.id : horizon;
    return { rows: page, ...(next !== undefined && { next }) };
  }

  /**
   * Ends what an earlier life of the server left queued or running, and answers how many there were. Call it
   * once at start, before anything is inserted.
   */
  markLost(atUs: number): number {
    return this.#markLost.run({ atUs }).changes;
  }

  /** When the oldest invocation was queued that has ended; undefined where there is none. */
  oldestUs(): number | undefined {
    return this.#oldestEnded.get();
  }

  /** Removes the oldest invocations that may go, and answers how many; call it again until that is 0. */
  prune(options: PruneOptions): number {
    const { olderThanUs = Number.NEGATIVE_INFINITY, keep, limit = 1000 } = options;
    const upTo = keep === undefined ? undefined : this.#newestBeyond.get(keep);
    const ids: string[] = [];
    for (const row of this.#oldestFirst.iterate()) {
      const isTooMany = upTo !== undefined && row.id <= upTo;
      // Ids are in the order of time, so that the first one that is neither ends the search.
      if (ids.length >= limit || !(isTooMany || row.queuedAtUs < olderThanUs)) break;
      if (row.status !== "queued" && row.status !== "running") ids.push(row.id);
    }
    this.#deleteAll(ids);
    return ids.length;
  }

  #select(filter: InvocationFilter): InvocationSummary[] {
    const { sql, values } = pageQuery(filter);
    const rows = this.#prepare(sql).all(...values) as SqlInvocation<InvocationSummary>[];
    return rows.map((row) => fromSql<InvocationSummary>(row));
  }

  #horizonOf(filter: InvocationFilter): string | undefined {
    const query = horizonQuery(filter, maxRowsWalked);
    if (query === undefined) return undefined;
    const row = this.#prepare(query.sql).get(...query.values) as { id: string } | undefined;
    return row?.id;
  }

  /** The invocation whose own id is the trace that is looked for. */
  #rootOf({ traceId, ...filter }: InvocationFilter): InvocationSummary | undefined {
    if (traceId === undefined) return undefined;
    const id = rootIdOf(traceId);
    if (id < (filter.since ?? id) || (filter.before !== undefined && id >= filter.before))
      return undefined;
    const [row] = this.#select({ ...filter, since: id, before: `${id} `, limit: 1 });
    return row?.traceId === null ? row : undefined;
  }

  #prepare(sql: string): Sqlite.Statement {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}

function newestFirst(a: InvocationSummary, b: InvocationSummary): number {
  return a.id < b.id ? 1 : -1;
}

type OldRow = Pick<InvocationRow, "id" | "status" | "queuedAtUs">;
