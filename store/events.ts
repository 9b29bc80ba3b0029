import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";
import type {
  EventCallback,
  EventDepth,
  EventEnd,
  EventError,
  EventFilter,
  EventKind,
  EventRow,
  EventSummary,
  LeaseTurn,
  NewEvent,
  Reschedule,
} from "./event-row.ts";

/** The events on record, synchronously: {@link RecordedEventQueue} commits what is changed here. */
export class EventStore {
  readonly #connection: Sqlite.Database;
  /** Statements by their text: there are as many as kinds of filters. */
  readonly #pages = new Map<string, Sqlite.Statement>();
  readonly #insert: Sqlite.Statement<[object]>;
  readonly #get: Sqlite.Statement<[string], FlatEvent>;
  readonly #anyDue: Sqlite.Statement<[string, number], number>;
  readonly #nextFunction: Sqlite.Statement<[string, string], string>;
  readonly #lease: Sqlite.Statement<[object], FlatEvent>;
  readonly #reschedule: Sqlite.Statement<[object]>;
  readonly #finish: Sqlite.Statement<[object]>;
  readonly #recover: Sqlite.Statement<[object]>;
  readonly #removeQueued: Sqlite.Statement<[string]>;
  readonly #nextDue: Sqlite.Statement<[string, number], number | null>;
  readonly #hasten: Sqlite.Statement<[object]>;
  readonly #redrive: Sqlite.Statement<[object]>;
  readonly #removeDead: Sqlite.Statement<[string]>;
  readonly #depths: Sqlite.Statement<[], EventDepth>;
  readonly #prune: Sqlite.Statement<[number, number]>;
  readonly #pruneDead: Sqlite.Statement<[number, number]>;
  readonly #oldestEnd: Sqlite.Statement<[], number | null>;
  readonly #waitingBytes: Sqlite.Statement<[], number>;

  constructor({ connection }: Database) {
    this.#connection = connection;
    this.#insert = connection.prepare(
      `INSERT INTO events (id, kind, function_name, qualifier, content_type, source, trace_id, depth,
         callback_url, callback_secret, state, attempts, throttles, next_at_us, accepted_at_us,
         body_bytes, body, is_sampled)
       VALUES (@id, @kind, @functionName, @qualifier, @contentType, @source, @traceId, @depth,
         @callbackUrl, @callbackSecret, 'queued', 0, 0, @acceptedAtUs, @acceptedAtUs,
         length(@body), @body, @isSampled)
       ON CONFLICT (id) DO NOTHING`,
    );
    this.#get = connection.prepare(`SELECT ${rowColumns} FROM events WHERE id = ?`);
    this.#anyDue = connection
      .prepare<[string, number], number>(
        "SELECT 1 FROM events WHERE state = 'queued' AND kind = ? AND next_at_us <= ? LIMIT 1",
      )
      .pluck();
    this.#nextFunction = connection
      .prepare<[string, string], string>(
        `SELECT function_name FROM events INDEXED BY events_by_function_due
         WHERE state = 'queued' AND kind = ? AND function_name > ? ORDER BY function_name LIMIT 1`,
      )
      .pluck();
    this.#lease = connection.prepare(
      `UPDATE events SET state = 'running', attempts = attempts + 1
       WHERE id = (
         SELECT id FROM events INDEXED BY events_by_function_due
         WHERE state = 'queued' AND kind = @kind AND function_name = @functionName
           AND next_at_us <= @atUs
         ORDER BY next_at_us, rowid LIMIT 1)
       RETURNING ${rowColumns}`,
    );
    this.#reschedule = connection.prepare(
      `UPDATE events SET state = 'queued', next_at_us = @nextAtUs,
         attempts = attempts - iif(@isCounted, 0, 1),
         throttles = iif(@isCounted, 0, throttles + 1),
         error_code = @code, error_message = @message
       WHERE id = @id AND state = 'running'`,
    );
    this.#finish = connection.prepare(
      `UPDATE events SET state = @state, ended_at_us = @atUs, dead_condition = @condition,
         attempts = attempts - iif(@isCounted, 0, 1),
         error_code = @code, error_message = @message, body = iif(@state = 'dead', body, NULL)
       WHERE id = @id AND state = 'running'`,
    );
    this.#recover = connection.prepare(
      `UPDATE events SET state = 'queued', next_at_us = @atUs,
         error_code = @code, error_message = @message
       WHERE state = 'running' AND kind = @kind`,
    );
    this.#removeQueued = connection.prepare("DELETE FROM events WHERE id = ? AND state = 'queued'");
    this.#nextDue = connection
      .prepare<[string, number], number | null>(
        `SELECT min(next_at_us) FROM events
         WHERE state = 'queued' AND kind = ? AND next_at_us > ?`,
      )
      .pluck();
    this.#hasten = connection.prepare(
      `UPDATE events SET next_at_us = next_at_us - @byUs
       WHERE state = 'queued' AND kind = @kind AND next_at_us > @atUs`,
    );
    this.#redrive = connection.prepare(
      `UPDATE events SET state = 'queued', attempts = 0, throttles = 0, depth = 0,
         next_at_us = @atUs, accepted_at_us = @atUs, ended_at_us = NULL, dead_condition = NULL
       WHERE id = @id AND state = 'dead'`,
    );
    this.#removeDead = connection.prepare("DELETE FROM events WHERE id = ? AND state = 'dead'");
    this.#depths = connection.prepare(
      `SELECT function_name AS functionName, kind, state, count, (
         SELECT min(id) FROM events
         WHERE function_name = event_depths.function_name AND state = event_depths.state
       ) AS oldestId
       FROM event_depths WHERE state <> 'succeeded' AND count > 0`,
    );
    this.#prune = connection.prepare(
      `DELETE FROM events WHERE rowid IN (
         SELECT rowid FROM events WHERE state = 'succeeded' AND ended_at_us < ?
         ORDER BY ended_at_us LIMIT ?)`,
    );
    this.#pruneDead = connection.prepare(
      `DELETE FROM events WHERE rowid IN (
         SELECT rowid FROM events WHERE state = 'dead' AND ended_at_us < ?
         ORDER BY ended_at_us LIMIT ?)`,
    );
    this.#oldestEnd = connection
      .prepare<[], number | null>(
        `SELECT min(ended_at_us) FROM (
           SELECT min(ended_at_us) AS ended_at_us FROM events WHERE state = 'succeeded'
           UNION ALL SELECT min(ended_at_us) FROM events WHERE state = 'dead')`,
      )
      .pluck();
    this.#waitingBytes = connection
      .prepare<[], number>(
        `SELECT coalesce(sum(body_bytes), 0) FROM events WHERE state IN ('queued', 'running')`,
      )
      .pluck();
  }

  /** Queues an event, due at once; false if one with its id is there already. */
  insert({ callback, ...event }: NewEvent): boolean {
    const callbackUrl = callback?.url ?? null;
    const callbackSecret = callback?.secret ?? null;
    const isSampled = Number(event.isSampled);
    return this.#insert.run({ ...event, callbackUrl, callbackSecret, isSampled }).changes > 0;
  }

  /** One event with its body. */
  get(id: string): EventRow | undefined {
    const row = this.#get.get(id);
    return row && eventOf(row);
  }

  /** A page of events, newest first, without their bodies. */
  list({ functionName, state, before, limit }: EventFilter): EventSummary[] {
    const conditions = [
      ...(functionName === undefined ? [] : ["function_name = @functionName"]),
      ...(state === undefined ? [] : ["state = @state"]),
      ...(before === undefined ? [] : ["id < @before"]),
    ];
    const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
    const sql = `SELECT ${summaryColumns} FROM events ${where} ORDER BY id DESC LIMIT @limit`;
    let statement = this.#pages.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#pages.set(sql, statement);
    }
    const rows = statement.all({ functionName, state, before, limit }) as Flat<EventSummary>[];
    return rows.map((row) => unflatten(row));
  }

  /** Marks the next due event of the function whose turn it is as running, and counts the attempt. */
  lease({ kind, after, mayRun, atUs }: LeaseTurn): EventRow | undefined {
    if (this.#anyDue.get(kind, atUs) === undefined) return undefined;
    for (const functionName of this.#functionsBehind(kind, after)) {
      if (!mayRun(functionName)) continue;
      const event = this.#lease.get({ kind, functionName, atUs });
      if (event !== undefined) return eventOf(event);
    }
    return undefined;
  }

  /** Puts a running event back into the queue; false if it is not running. */
  reschedule(id: string, { nextAtUs, isCounted, error }: Reschedule): boolean {
    const values = { id, nextAtUs, isCounted: Number(isCounted), ...error };
    return this.#reschedule.run(values).changes > 0;
  }

  /**
   * Ends a running event and queues what follows from that; the body of one that succeeded is dropped. False,
   * and nothing is done, if it is not running.
   */
  finish(id: string, end: EventEnd, followUps: readonly NewEvent[] = []): boolean {
    const { state, atUs } = end;
    const isDead = end.state === "dead";
    const condition = isDead ? end.condition : null;
    const error = isDead ? end.error : { code: null, message: null };
    const isCounted = Number(!isDead || end.isCounted);
    const values = { id, state, atUs, condition, isCounted, ...error };
    if (this.#finish.run(values).changes === 0) return false;
    for (const followUp of followUps) this.insert(followUp);
    return true;
  }

  /** Makes all running events of a kind due at `atUs` with `error` as their last one; answers how many there were. */
  recover(kind: EventKind, atUs: number, error: EventError): number {
    return this.#recover.run({ kind, atUs, ...error }).changes;
  }

  /** Removes an event that waits; false if it does not. */
  removeQueued(id: string): boolean {
    return this.#removeQueued.run(id).changes > 0;
  }

  /** Queues dead events anew, as if they were accepted at `atUs`, and answers how many of them were dead. */
  redrive(ids: readonly string[], atUs: number): number {
    return ids.reduce((count, id) => count + this.#redrive.run({ id, atUs }).changes, 0);
  }

  /** Removes dead events, and answers how many of them were dead. */
  removeDead(ids: readonly string[]): number {
    return ids.reduce((count, id) => count + this.#removeDead.run(id).changes, 0);
  }

  /** How many events are not done, by function and state. */
  depths(): EventDepth[] {
    return this.#depths.all();
  }

  /** When the first event of a kind that becomes due after a moment does; both in microseconds since the epoch. */
  nextDueAtUs(kind: EventKind, afterUs: number): number | undefined {
    return this.#nextDue.get(kind, afterUs) ?? undefined;
  }

  /** Has events of a kind that are due after a moment be due sooner. */
  hasten(kind: EventKind, atUs: number, byUs: number): void {
    this.#hasten.run({ kind, atUs, byUs });
  }

  /** Removes up to `limit` events that succeeded before a moment, and answers how many. */
  prune(endedBeforeUs: number, limit: number): number {
    return this.#prune.run(endedBeforeUs, limit).changes;
  }

  /** Removes up to `limit` events that ended before a moment, well or not, and answers how many. */
  pruneEnded(endedBeforeUs: number, limit: number): number {
    const dead = this.#pruneDead.run(endedBeforeUs, limit).changes;
    return dead + (dead < limit ? this.prune(endedBeforeUs, limit - dead) : 0);
  }

  /** When the first event ended of those that have and are still there; undefined where there is none. */
  oldestUs(): number | undefined {
    return this.#oldestEnd.get() ?? undefined;
  }

  /** What the bodies take of the events that have not ended. Looks at all events. */
  waitingBytes(): number {
    return this.#waitingBytes.get() ?? 0;
  }

  /** The functions with queued events, once around the circle from the one behind `after`. */
  *#functionsBehind(kind: EventKind, after: string): Generator<string> {
    for (let name = this.#nextFunction.get(kind, after); name !== undefined;) {
      yield name;
      name = this.#nextFunction.get(kind, name);
    }
    for (let name = this.#nextFunction.get(kind, ""); name !== undefined && name <= after;) {
      yield name;
      name = this.#nextFunction.get(kind, name);
    }
  }
}

type Flat<Row extends { callback: EventCallback | null }> = Omit<Row, "callback"> & {
  readonly callbackUrl: string | null;
  readonly callbackSecret: string | null;
};

type FlatEvent = Flat<Omit<EventRow, "isSampled">> & { readonly isSampled: number };

function eventOf(row: FlatEvent): EventRow {
  return { ...unflatten(row), isSampled: row.isSampled === 1 };
}

function unflatten<T extends object>({
  callbackUrl: url,
  callbackSecret: secret,
  ...event
}: T & {
  callbackUrl: string | null;
  callbackSecret: string | null;
}): Omit<T, "callbackUrl" | "callbackSecret"> & { callback: EventCallback | null } {
  return { ...event, callback: url === null || secret === null ? null : { url, secret } };
}

const summaryColumns = `id, kind, function_name AS functionName, qualifier,
  content_type AS contentType, source, trace_id AS traceId, depth, callback_url AS callbackUrl,
  callback_secret AS callbackSecret, state, attempts, throttles, next_at_us AS nextAtUs,
  accepted_at_us AS acceptedAtUs, ended_at_us AS endedAtUs, dead_condition AS deadCondition,
  error_code AS errorCode, error_message AS errorMessage, body_bytes AS bodyBytes`;

const rowColumns = `${summaryColumns}, body, is_sampled AS isSampled`;
