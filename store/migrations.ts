import type Sqlite from "better-sqlite3";
import { eventSchema } from "./event-schema.ts";
import { keySchema } from "./key-schema.ts";
import { sandboxSchema } from "./sandbox-schema.ts";
import { statisticsSchema } from "./statistics-schema.ts";

/** One step of the schema. Once released, a step is never changed: a later one corrects it. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

/*
 * The schema as the last step leaves it. Times are microseconds since the epoch (`_at_us`), durations are
 * microseconds (`_us`), all tables are STRICT.
 *
 *   functions                         function_versions
 *   ---------                         -----------------
 *   name            PK  <-----------  function_name   PK
 *   latest_version                    version         PK
 *   created_at_us                     config          JSON text
 *   updated_at_us                     code_digest     of the code store; null without code
 *                                     revision_id
 *                                     created_at_us
 *
 *   A function exists while its latest version does. The row in `functions` outlives it, so that a version
 *   number never means two different things to the invocations that name it.
 *
 *   builds
 *   ------
 *   key             PK, SHA-256 of all that the dependencies of some code were made of
 *   code_digest     what was made, in the code store
 *   invocation_id   of the build
 *   used_at_us      by the last deployment
 *
 *   secrets
 *   -------
 *   name            PK
 *   sealed          BLOB: nonce, tag and text of AES-256-GCM; the key is in a file beside the database
 *   created_at_us, updated_at_us
 *
 *   aliases
 *   -------
 *   function_name   PK  ->  function_versions, with version and with second_version
 *   name            PK
 *   version
 *   second_version, second_weight     both or neither; the weight is 0 to 1
 *   description
 *   revision_id                       another one after each change
 *   created_at_us, updated_at_us
 *
 *   function_concurrency
 *   --------------------
 *   function_name   PK; the row goes with the function
 *   reserved        container slots that are kept for it; null without a reservation
 *   provisioned     containers that are kept started; null where the versions' configuration counts
 *   provisioned_at_us                 what moment that count is of: a later one wins
 *
 *   invocations
 *   -----------
 *   id              PK, UUID v7: the order of ids is the order of time
 *   kind            invoke | execute | build
 *   function_name, function_version, qualifier, image, runtime
 *   trace_id        what the caller named; null where the id stands for it
 *   status          queued | running | succeeded | failed | timed_out | cancelled | lost
 *   start_kind      cold | pooled | warm
 *   container_id, exit_code, exit_signal, exit_reason
 *   queued_at_us, started_at_us, finished_at_us, exited_at_us
 *   queue_us, take_us, init_us, run_us, record_us
 *   event_bytes, answer_bytes
 *   stdout_bytes, stdout_truncated, stderr_bytes, stderr_truncated
 *   error_code, error_name, error_message, error_stack
 *   event_id, attempt   of the event that it is an attempt at; null for a call that was waited for
 *   stdout, stderr  BLOB, last: whatever stands behind a large value costs a walk through its pages
 *
 *   Indexes of invocations: a page of one filter, or of function or kind with status or of function with exit
 *   reason, is one descent and a short walk. Most invocations are of functions and succeed, and most
 *   containers exit by themselves: the indexes by kind, by status and by exit reason leave these out, since
 *   each further index is a further page to write in each commit, and a walk over all finds many of them soon.
 *   Where a walk finds few, a page ends after so many rows and the next one goes on there.
 *
 *   invocation_minutes
 *   ------------------
 *   function_name, minute   PK; the minute since the epoch in which they were queued
 *   count, failed, timed_out, cancelled, lost, cold, pooled, warm      of calls, which triggers keep
 *
 *   schedules
 *   ---------
 *   name            PK
 *   function_name, qualifier      not a key of `functions`: that row outlives the function
 *   expression, time_zone, missed_runs, content_type
 *   state           active | paused
 *   revision_id     another one after each change
 *   anchored_at_us  what a rate counts from
 *   next_at_us      the next due time; null while paused, and where none comes any more
 *   last_at_us, last_error        the due time that was claimed last, and why it was refused
 *   last_status     accepting | accepted | failed
 *   missed_at_us, missed_count                 the last due times that passed without a run
 *   created_at_us, updated_at_us
 *   provisioned     what it sets that count of its function to; null where it queues an event
 *   event           BLOB, last; empty where it queues none
 *
 *   events
 *   ------
 *   id              UNIQUE, UUID v7
 *   kind            invoke | deliver
 *   function_name, qualifier, content_type, source, trace_id
 *   depth           how many ends of other events led to it
 *   callback_url, callback_secret      whom to tell of its end, both or neither; of a delivery, where it goes
 *   state           queued | running | succeeded | dead
 *   attempts, throttles
 *   next_at_us      when a queued one is due
 *   accepted_at_us, ended_at_us
 *   dead_condition  RetriesExhausted | EventAgeExceeded
 *   error_code, error_message   of the last attempt that failed
 *   body_bytes
 *   body            BLOB, behind all that lists show; null once it has succeeded
 *   is_sampled      whether the caller has its trace recorded
 *
 *   Indexes of events: the next due one of a kind, of all and of one function are one descent each, however many wait,
 *   and so is a page of any filter.
 *
 *   event_depths
 *   ------------
 *   function_name, kind, state   PK
 *   count                  of events, which triggers keep: a count of a million rows would hold up the server
 *
 *   idempotency_keys
 *   ----------------
 *   function_name, key   PK
 *   request_digest       SHA-256 of what came with the key first
 *   answer               JSON: all of the answer but its body, or the failure
 *   body                 BLOB; null for a failure, and for what is too large to keep
 *   expires_at_us
 *
 * Words (kind, status, ...) have no CHECK: a new word would mean to copy a table of millions of rows.
 */
/** The steps of this Runlet. */
export const released: readonly Migration[] = [
  {
    version: 1,
    name: "functions, invocations and events",
    sql: `
      CREATE TABLE functions (
        name TEXT NOT NULL PRIMARY KEY,
        latest_version INTEGER NOT NULL,
        created_at_us INTEGER NOT NULL,
        updated_at_us INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE function_versions (
        function_name TEXT NOT NULL REFERENCES functions (name),
        version INTEGER NOT NULL,
        config TEXT NOT NULL CHECK (json_valid(config)),
        code_digest TEXT,
        revision_id TEXT NOT NULL,
        created_at_us INTEGER NOT NULL,
        PRIMARY KEY (function_name, version)
      ) STRICT;

      CREATE INDEX function_versions_by_code ON function_versions (code_digest)
        WHERE code_digest IS NOT NULL;

      CREATE TABLE aliases (
        function_name TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        second_version INTEGER,
        second_weight REAL CHECK (second_weight BETWEEN 0 AND 1),
        description TEXT NOT NULL,
        revision_id TEXT NOT NULL,
        created_at_us INTEGER NOT NULL,
        updated_at_us INTEGER NOT NULL,
        PRIMARY KEY (function_name, name),
        FOREIGN KEY (function_name, version) REFERENCES function_versions (function_name, version),
        FOREIGN KEY (function_name, second_version)
          REFERENCES function_versions (function_name, version),
        CHECK ((second_version IS NULL) = (second_weight IS NULL))
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE builds (
        key TEXT NOT NULL PRIMARY KEY,
        code_digest TEXT NOT NULL,
        invocation_id TEXT NOT NULL,
        used_at_us INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE function_concurrency (
        function_name TEXT NOT NULL PRIMARY KEY REFERENCES functions (name),
        reserved INTEGER CHECK (reserved >= 0),
        provisioned INTEGER CHECK (provisioned >= 0),
        provisioned_at_us INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE secrets (
        name TEXT NOT NULL PRIMARY KEY,
        sealed BLOB NOT NULL,
        created_at_us INTEGER NOT NULL,
        updated_at_us INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE invocations (
        id TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        function_name TEXT,
        function_version INTEGER,
        qualifier TEXT,
        image TEXT,
        runtime TEXT,
        trace_id TEXT,
        status TEXT NOT NULL,
        start_kind TEXT,
        container_id TEXT,
        exit_code INTEGER,
        exit_signal TEXT,
        exit_reason TEXT,
        queued_at_us INTEGER NOT NULL,
        started_at_us INTEGER,
        finished_at_us INTEGER,
        exited_at_us INTEGER,
        queue_us INTEGER,
        take_us INTEGER,
        init_us INTEGER,
        run_us INTEGER,
        record_us INTEGER,
        event_bytes INTEGER,
        answer_bytes INTEGER,
        stdout_bytes INTEGER NOT NULL,
        stdout_truncated INTEGER NOT NULL,
        stderr_bytes INTEGER NOT NULL,
        stderr_truncated INTEGER NOT NULL,
        error_code TEXT,
        error_name TEXT,
        error_message TEXT,
        error_stack TEXT,
        event_id TEXT,
        attempt INTEGER,
        stdout BLOB,
        stderr BLOB
      ) STRICT;

      CREATE INDEX invocations_by_function ON invocations (function_name, id)
        WHERE function_name IS NOT NULL;
      CREATE INDEX invocations_by_kind ON invocations (kind, id)
        WHERE kind <> 'invoke';
      CREATE INDEX invocations_by_status ON invocations (status, id)
        WHERE status <> 'succeeded';
      CREATE INDEX invocations_by_kind_status ON invocations (kind, status, id)
        WHERE status <> 'succeeded';
      CREATE INDEX invocations_by_function_status ON invocations (function_name, status, id)
        WHERE function_name IS NOT NULL AND status <> 'succeeded';
      CREATE INDEX invocations_by_exit_reason ON invocations (exit_reason, id)
        WHERE exit_reason <> 'exited';
      CREATE INDEX invocations_by_function_exit_reason
        ON invocations (function_name, exit_reason, id)
        WHERE function_name IS NOT NULL AND exit_reason <> 'exited';
      CREATE INDEX invocations_by_trace ON invocations (trace_id, id)
        WHERE trace_id IS NOT NULL;
      CREATE INDEX invocations_by_event ON invocations (event_id, id)
        WHERE event_id IS NOT NULL;

      CREATE TABLE schedules (
        name TEXT NOT NULL PRIMARY KEY,
        function_name TEXT NOT NULL,
        qualifier TEXT,
        expression TEXT NOT NULL,
        time_zone TEXT NOT NULL,
        missed_runs TEXT NOT NULL,
        content_type TEXT NOT NULL,
        state TEXT NOT NULL,
        revision_id TEXT NOT NULL,
        anchored_at_us INTEGER NOT NULL,
        next_at_us INTEGER,
        last_at_us INTEGER,
        last_status TEXT,
        last_error TEXT,
        missed_at_us INTEGER,
        missed_count INTEGER,
        created_at_us INTEGER NOT NULL,
        updated_at_us INTEGER NOT NULL,
        provisioned INTEGER,
        event BLOB NOT NULL
      ) STRICT;

      CREATE INDEX schedules_by_function ON schedules (function_name, name);
      CREATE INDEX schedules_by_next_at ON schedules (next_at_us) WHERE next_at_us IS NOT NULL;
      CREATE INDEX schedules_accepting ON schedules (name) WHERE last_status = 'accepting';

${eventSchema}${sandboxSchema}${keySchema}
    `,
  },
  { version: 2, name: "counts of invocations by minute", sql: statisticsSchema },
  {
    version: 3,
    name: "the oldest dead letters",
    sql: "CREATE INDEX events_dead ON events (ended_at_us) WHERE state = 'dead'",
  },
  {
    version: 4,
    name: "whether the trace of an event is recorded",
    sql: "ALTER TABLE events ADD COLUMN is_sampled INTEGER NOT NULL DEFAULT 1",
  },
];

/**
 * Applies the missing steps, each in a transaction of its own, and answers how many there were.
 * @throws Error if the schema is newer than the last step, or a step fails; the steps before it stay applied.
 */
export function migrate(
  connection: Sqlite.Database,
  steps: readonly Migration[] = released,
): number {
  const known = steps.length;
  const found = versionOf(connection);
  if (found > known) {
    throw new Error(
      `its schema is version ${found} and this Runlet knows versions up to ${known}. ` +
        "Use the Runlet that wrote it, or a newer one",
    );
  }
  for (const [index, step] of steps.entries()) {
    if (step.version === index + 1) continue;
    throw new Error(
      `step ${step.version} (${step.name}) of the schema stands at place ${index + 1}`,
    );
  }
  return steps.reduce((applied, step) => applied + apply(connection, step), 0);
}

function apply(connection: Sqlite.Database, step: Migration): number {
  const run = connection.transaction((): number => {
    if (versionOf(connection) >= step.version) return 0;
    connection.exec(step.sql);
    const dangling = connection.pragma("foreign_key_check") as unknown[];
    if (dangling.length > 0) throw new Error(`${dangling.length} rows refer to nothing`);
    connection.pragma(`user_version = ${step.version}`);
    return 1;
  });
  try {
    return run.immediate();
  } catch (error) {
    const fact = error instanceof Error ? error.message : String(error);
    throw new Error(`step ${step.version} (${step.name}) of the schema failed: ${fact}`, {
      cause: error,
    });
  }
}

function versionOf(connection: Sqlite.Database): number {
  return connection.pragma("user_version", { simple: true }) as number;
}
