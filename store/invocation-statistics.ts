import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** The value that so many percent do not exceed (nearest rank), microseconds; null without any. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** What the invocations of a function come to. */
export interface StatisticsRow {
  /** How many were looked at. */
  readonly count: number;
  /** Whether there are older ones in the range that were not looked at. */
  readonly isSampled: boolean;
  readonly oldestAtUs: number | null;
  readonly failed: number;
  readonly timedOut: number;
  readonly cancelled: number;
  readonly lost: number;
  readonly cold: number;
  readonly pooled: number;
  readonly warm: number;
  readonly runUs: Percentiles;
  /** From the queue to the end. */
  readonly totalUs: Percentiles;
}

type SqlRow = Omit<StatisticsRow, "isSampled" | "runUs" | "totalUs"> & {
  readonly isSampled: number;
} & Readonly<Record<`${"run" | "total"}${50 | 95 | 99}`, number | null>>;

/** Figures over the invocations on record. */
export class InvocationStatistics {
  readonly #of: Sqlite.Statement<[object], SqlRow>;

  constructor({ connection }: Database) {
    this.#of = connection.prepare(sql);
  }

  /** Figures over the newest `maxRows` invocations of a function whose id is `since` or greater. */
  of(functionName: string, since: string, maxRows: number): StatisticsRow {
    const row = this.#of.get({ functionName, since, maxRows });
    if (row === undefined) throw new Error("Cannot read statistics: an aggregate has no row");
    const { run50, run95, run99, total50, total95, total99, ...counts } = row;
    return {
      ...counts,
      isSampled: row.isSampled === 1,
      runUs: { p50: run50, p95: run95, p99: run99 },
      totalUs: { p50: total50, p95: total95, p99: total99 },
    };
  }
}

const inRange = `FROM invocations INDEXED BY invocations_by_function
  WHERE function_name = @functionName AND id >= @since AND kind = 'invoke' ORDER BY id DESC`;

const sql = `
  WITH picked AS MATERIALIZED (
    SELECT status, start_kind, queued_at_us, run_us, finished_at_us - queued_at_us AS total_us
    ${inRange} LIMIT @maxRows
  ),
  ${ranked("run")},
  ${ranked("total")}
  SELECT
    count(*) AS count,
    min(queued_at_us) AS oldestAtUs,
    EXISTS (SELECT 1 ${inRange} LIMIT 1 OFFSET @maxRows) AS isSampled,
    ${counted("status", "failed", "failed")},
    ${counted("status", "timed_out", "timedOut")},
    ${counted("status", "cancelled", "cancelled")},
    ${counted("status", "lost", "lost")},
    ${counted("start_kind", "cold", "cold")},
    ${counted("start_kind", "pooled", "pooled")},
    ${counted("start_kind", "warm", "warm")},
    ${percentile("run", 50)}, ${percentile("run", 95)}, ${percentile("run", 99)},
    ${percentile("total", 50)}, ${percentile("total", 95)}, ${percentile("total", 99)}
  FROM picked`;

function ranked(time: "run" | "total"): string {
  return `${time}_ranked AS MATERIALIZED (
    SELECT ${time}_us AS us, row_number() OVER (ORDER BY ${time}_us) AS rank
    FROM picked WHERE ${time}_us IS NOT NULL
  )`;
}

function percentile(time: "run" | "total", percent: 50 | 95 | 99): string {
  const rank = `(SELECT (count(*) * ${percent} + 99) / 100 FROM ${time}_ranked)`;
  return `(SELECT us FROM ${time}_ranked WHERE rank = ${rank}) AS ${time}${percent}`;
}

function counted(column: string, word: string, name: string): string {
  return `count(*) FILTER (WHERE ${column} = '${word}') AS ${name}`;
}
