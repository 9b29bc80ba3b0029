import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Database, openDatabase } from "../store/database.ts";
import type { InvocationFilter } from "../store/invocation-query.ts";
import { InvocationStatistics } from "../store/invocation-statistics.ts";
import { InvocationStore } from "../store/invocations.ts";
import { alternate, type Contestant } from "./harness/alternate.ts";
import type { Bench, Context } from "./harness/bench.ts";

const fullRows = 10_000_000;
/** What a run of fewer than `fullRuns` fills, to see that all works. */
const shortRows = 20_000;
const fullRuns = 20;

const batchRows = 50_000;
const pageLength = 50;
const limitMs = 20;

/** A row each 10 ms from then on, milliseconds since the epoch. */
const firstAtMs = Date.UTC(2026, 0, 1);
const stepMs = 10;

/** Filters, and some that match nothing, next to nothing or nearly everything. */
const filters: Readonly<Record<string, Omit<InvocationFilter, "limit">>> = {
  function: { functionName: "f3" },
  "no-function": { functionName: "nobody" },
  status: { status: "failed" },
  "no-status": { status: "lost" },
  succeeded: { status: "succeeded" },
  reason: { exitReason: "oom" },
  kind: { kind: "execute" },
  trace: { traceId: "00000000000000000000000000000028" },
  slow: { minRunUs: 5_000_000 },
  "function-slow": { functionName: "f3", minRunUs: 5_000_000 },
  "function-succeeded": { functionName: "f7", status: "succeeded" },
  "function-kind": { functionName: "f3", kind: "execute" },
  "status-reason": { status: "timed_out", exitReason: "oom" },
  "kind-reason": { kind: "execute", exitReason: "signaled" },
};

/** A page of each filter, at any place of a record with millions of invocations. */
export const list: Bench = {
  name: "list",
  summary: "a long record stays quick: a page of 50 with each filter, and statistics",
  peers: [],
  defaultRuns: 200,
  counts: `pages of each filter; fewer than ${fullRuns} are of a short record`,
  run: async (context) => {
    const { runs, directory, stack } = context;
    const rows = runs < fullRuns ? shortRows : fullRows;
    const database = stack.use(openDatabase(join(directory, "runlet.db")));
    const start = performance.now();
    await fill(database, rows, context);
    const fillSeconds = (performance.now() - start) / 1000;
    const store = new InvocationStore(database);
    const statistics = new InvocationStatistics(database);
    const contestants: Contestant[] = [
      timed("runlet", runs, (before) => store.page({ before, limit: pageLength })),
      ...Object.entries(filters).map(([name, filter]) =>
        timed(`runlet@${name}`, runs, (before) =>
          store.page({ ...filter, before, limit: pageLength }),
        ),
      ),
      timed("runlet@range", runs, (before) =>
        store.page({ since: before, before: "1", limit: pageLength }),
      ),
      timed("runlet@statistics", runs, (sinceId) =>
        statistics.of("f3", { sinceId, sinceMinute: minuteOf(sinceId), maxSampled: 3000 }),
      ),
    ].map((contestant) => contestant(rows));
    return [
      {
        name: "list",
        unit: "ms",
        better: "lower",
        samples: await alternate(contestants, context),
        facts: new Map([["runlet", { onRecord: rows, fillSeconds }]]),
        judge: ({ series }) =>
          series.map(({ name, p50 }) => ({
            promise: `p50 of ${name} < ${limitMs} ms`,
            figure: `${p50.toPrecision(3)} ms`,
            holds: p50 < limitMs,
          })),
      },
    ];
  },
};

/** Times reads at places that are spread over the record. */
function timed(
  name: string,
  samples: number,
  read: (place: string) => unknown,
): (rows: number) => Contestant {
  return (rows) => {
    let taken = 0;
    const sample = async (): Promise<number> => {
      const place = idStart(firstAtMs + Math.floor(rows * ((++taken * 0.618) % 1)) * stepMs);
      const start = performance.now();
      read(place);
      return performance.now() - start;
    };
    return { name, samples, sample };
  };
}

async function fill(database: Database, rows: number, context: Context): Promise<void> {
  const { connection } = database;
  const insert = connection.prepare(sql);
  for (let from = 0; from < rows; from += batchRows) {
    context.signal.throwIfAborted();
    context.progress(`${from} of ${rows} rows`);
    insert.run({ from, to: Math.min(rows, from + batchRows) - 1, firstAtMs, stepMs });
    await nextTurn();
  }
}

function minuteOf(id: string): number {
  return Math.floor(Number.parseInt(id.replace("-", ""), 16) / 60_000);
}

function idStart(atMs: number): string {
  const time = atMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}`;
}

/**
 * Of the columns that a filter or a figure reads, and output as short as most of it. Numbers are bound as real
 * ones, of which a text would show the fraction.
 */
const sql = `
  WITH RECURSIVE place(i, at_ms) AS (
    SELECT CAST(@from AS INTEGER), CAST(@firstAtMs + @from * @stepMs AS INTEGER)
    UNION ALL SELECT i + 1, at_ms + CAST(@stepMs AS INTEGER) FROM place WHERE i < @to
  )
  INSERT INTO invocations (
    id, kind, function_name, function_version, image, runtime, trace_id, status, start_kind,
    container_id, exit_code, exit_reason, queued_at_us, started_at_us, finished_at_us, exited_at_us,
    queue_us, take_us, run_us, record_us, event_bytes, answer_bytes,
    stdout_bytes, stdout_truncated, stderr_bytes, stderr_truncated, stdout
  )
  SELECT
    printf('%08x-%04x-7000-8000-%012x', at_ms >> 16, at_ms & 65535, i),
    iif(i % 100 = 0, 'execute', 'invoke'), iif(i % 100 = 0, NULL, 'f' || (i % 20)),
    1, 'default', 'node', iif(i % 10 = 0, printf('%032x', i % 1000), NULL),
    CASE WHEN i % 50 = 7 THEN 'failed' WHEN i % 1000 = 13 THEN 'timed_out' ELSE 'succeeded' END,
    iif(i % 5 = 0, 'cold', 'pooled'), printf('rlt-%016x', i), 0,
    CASE WHEN i % 500 = 7 THEN 'oom' WHEN i % 1000 = 13 THEN 'timeout' ELSE 'exited' END,
    at_ms * 1000, at_ms * 1000 + 50, at_ms * 1000 + 3000, at_ms * 1000 + 9000,
    50, 200, iif(i % 100003 = 0, 6000000, 1000 + i * 7919 % 1000), 90, 14, 15,
    13, 0, 0, 0, CAST('greeting Ada' || char(10) AS BLOB)
  FROM place`;
