import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** A schedule as it is on record; times are microseconds since the epoch. */
export interface ScheduleRow {
  readonly name: string;
  readonly functionName: string;
  /** Which version it invokes; null for the latest. */
  readonly qualifier: string | null;
  readonly expression: string;
  readonly timeZone: string;
  readonly missedRuns: string;
  readonly contentType: string;
  /** What it sets its function's count of provisioned containers to; null where it queues an event. */
  readonly provisioned: number | null;
  /** Empty where it queues none. */
  readonly event: Buffer;
  readonly state: string;
  /** Another one after each change. */
  readonly revisionId: string;
  readonly anchoredAtUs: number;
  /** Null while it is paused, and where it never comes due again. */
  readonly nextAtUs: number | null;
  readonly lastAtUs: number | null;
  readonly lastStatus: string | null;
  readonly lastError: string | null;
  readonly missedAtUs: number | null;
  readonly missedCount: number | null;
  readonly createdAtUs: number;
  readonly updatedAtUs: number;
}

/** What becomes of a due time. */
export interface ScheduleClaim {
  readonly name: string;
  readonly nextAtUs: number | null;
  /** The due time that is handed over now; null where it is skipped. */
  readonly runAtUs: number | null;
  /** How many due times passed without a run of their own. */
  readonly missedCount: number;
  readonly atUs: number;
}

/** The schedules on record. */
export class ScheduleStore {
  readonly #claim: (claims: readonly ScheduleClaim[]) => void;
  readonly #put: Sqlite.Statement<[ScheduleRow]>;
  readonly #get: Sqlite.Statement<[string], ScheduleRow>;
  readonly #list: Sqlite.Statement<[string, number], ScheduleRow>;
  readonly #listOf: Sqlite.Statement<[string, string, number], ScheduleRow>;
  readonly #naming: Sqlite.Statement<[string, string], string>;
  readonly #delete: Sqlite.Statement<[string]>;
  readonly #due: Sqlite.Statement<[number, number], ScheduleRow>;
  readonly #firstDue: Sqlite.Statement<[], number | null>;
  readonly #settle: Sqlite.Statement<[object]>;
  readonly #accepting: Sqlite.Statement<[], ScheduleRow>;
  readonly #hasten: Sqlite.Statement<[object]>;

  constructor({ connection }: Database) {
    const move = connection.prepare<[ScheduleClaim]>(
      `UPDATE schedules SET next_at_us = @nextAtUs,
         last_at_us = ifnull(@runAtUs, last_at_us),
         last_status = iif(@runAtUs IS NULL, last_status, 'accepting'),
         last_error = iif(@runAtUs IS NULL, last_error, NULL),
         missed_at_us = iif(@missedCount > 0, @atUs, missed_at_us),
         missed_count = iif(@missedCount > 0, @missedCount, missed_count)
       WHERE name = @name`,
    );
    const claim = connection.transaction((claims: readonly ScheduleClaim[]) => {
      for (const each of claims) move.run(each);
    });
    this.#claim = (claims) => claim.immediate(claims);
    this.#put = connection.prepare(
      `INSERT OR REPLACE INTO schedules
         (name, function_name, qualifier, expression, time_zone, missed_runs, content_type, state, revision_id,
          anchored_at_us, next_at_us, last_at_us, last_status, last_error, missed_at_us, missed_count,
          created_at_us, updated_at_us, provisioned, event)
       VALUES
         (@name, @functionName, @qualifier, @expression, @timeZone, @missedRuns, @contentType, @state, @revisionId,
          @anchoredAtUs, @nextAtUs, @lastAtUs, @lastStatus, @lastError, @missedAtUs, @missedCount,
          @createdAtUs, @updatedAtUs, @provisioned, @event)`,
    );
    this.#get = connection.prepare(`SELECT ${columns} FROM schedules WHERE name = ?`);
    this.#list = connection.prepare(
      `SELECT ${columns} FROM schedules WHERE name > ? ORDER BY name LIMIT ?`,
    );
    this.#listOf = connection.prepare(
      `SELECT ${columns} FROM schedules WHERE function_name = ? AND name > ? ORDER BY name LIMIT ?`,
    );
    this.#naming = connection
      .prepare<[string, string], string>(
        "SELECT name FROM schedules WHERE function_name = ? AND qualifier = ? ORDER BY name LIMIT 10",
      )
      .pluck();
    this.#delete = connection.prepare("DELETE FROM schedules WHERE name = ?");
    this.#due = connection.prepare(
      `SELECT ${columns} FROM schedules WHERE next_at_us <= ? ORDER BY next_at_us LIMIT ?`,
    );
    this.#firstDue = connection
      .prepare<[], number | null>(
        "SELECT min(next_at_us) FROM schedules WHERE next_at_us IS NOT NULL",
      )
      .pluck();
    this.#settle = connection.prepare(
      `UPDATE schedules SET last_status = @status, last_error = @error
       WHERE name = @name AND last_at_us = @dueAtUs AND last_status = 'accepting'`,
    );
    this.#hasten = connection.prepare(
      "UPDATE schedules SET next_at_us = @nextAtUs WHERE name = @name AND next_at_us > @nextAtUs",
    );
    this.#accepting = connection.prepare(
      `SELECT ${columns} FROM schedules WHERE last_status = 'accepting'`,
    );
  }

  /** Writes a schedule over the one of its name, if there is one. */
  put(row: ScheduleRow): void {
    this.#put.run(row);
  }

  get(name: string): ScheduleRow | undefined {
    return this.#get.get(name);
  }

  /** A page of schedules by name, those behind the name `after`, of one function if it is named. */
  list({
    limit,
    after = "",
    functionName,
  }: {
    limit: number;
    after?: string | undefined;
    functionName?: string | undefined;
  }): ScheduleRow[] {
    return functionName === undefined
      ? this.#list.all(after, limit)
      : this.#listOf.all(functionName, after, limit);
  }

  /** The names of schedules, ten at most, that call a function by a qualifier. */
  naming(functionName: string, qualifier: string): string[] {
    return this.#naming.all(functionName, qualifier);
  }

  /** Deletes a schedule; false if there is none. */
  delete(name: string): boolean {
    return this.#delete.run(name).changes > 0;
  }

  /** Schedules whose due time is `nowUs` or before it, the earliest first. */
  due(nowUs: number, limit: number): ScheduleRow[] {
    return this.#due.all(nowUs, limit);
  }

  /** The earliest due time of all; undefined where nothing will come due. */
  firstDueUs(): number | undefined {
    return this.#firstDue.get() ?? undefined;
  }

  /** Moves due times on and notes which are to be handed over, all of it or nothing. */
  claim(claims: readonly ScheduleClaim[]): void {
    this.#claim(claims);
  }

  /** Notes what came of handing over a due time that was claimed. */
  settle(
    name: string,
    dueAtUs: number,
    { status, error }: { status: string; error: string | null },
  ): void {
    this.#settle.run({ name, dueAtUs, status, error });
  }

  /** Has a schedule be due at a moment where it would only be so later. */
  hasten(name: string, nextAtUs: number): void {
    this.#hasten.run({ name, nextAtUs });
  }

  /** The schedules with a due time that is claimed and not known to be handed over. */
  accepting(): ScheduleRow[] {
    return this.#accepting.all();
  }
}

const columns = `name, function_name AS functionName, qualifier, expression, time_zone AS timeZone,
  missed_runs AS missedRuns, content_type AS contentType, state, revision_id AS revisionId,
  anchored_at_us AS anchoredAtUs, next_at_us AS nextAtUs, last_at_us AS lastAtUs,
  last_status AS lastStatus, last_error AS lastError, missed_at_us AS missedAtUs,
  missed_count AS missedCount, created_at_us AS createdAtUs, updated_at_us AS updatedAtUs,
  provisioned, event`;
