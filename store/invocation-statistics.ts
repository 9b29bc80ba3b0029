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
  readonly count: number;
  readonly failed: number;
  readonly timedOut: number;
  readonly cancelled: number;
  readonly lost: number;
  readonly cold: number;
  readonly pooled: number;
  readonly warm: number;
  /** How many of the newest the times are of. */
  readonly sampleCount: number;
  readonly runUs: Percentiles;
  /** From the queue to the end. */
  readonly totalUs: Percentiles;
}

/** Which invocations are looked at. */
export interface StatisticsRange {
  /** Those that were queued in this minute since the epoch or later. */
  readonly sinceMinute: number;
  /** What is lower than all of their ids. */
  readonly sinceId: string;
  /** How many of them, the newest, the times are taken from. */
  readonly maxSampled: number;
}

type Counts = Omit<StatisticsRow, "sampleCount" | "runUs" | "totalUs">;

type Times = Pick<StatisticsRow, "sampleCount"> &
  Readonly<Record<`${"run" | "total"}${50 | 95 | 99}`, number | null>>;

/** Figures over the invocations on record. */
export class InvocationStatistics {
  readonly #counts: Sqlite.Statement<[object], Counts>;
  readonly #times: Sqlite.Statement<[object], Times>;

  constructor({ connection }: Database) {
    this.#counts = connection.prepare(counts);
    this.#times = connection.prepare(times);
  }

  /** Figures over a function's invocations: counts of all in the range, and times of the newest. */
  of(functionName: string, range: StatisticsRange): StatisticsRow {
    const values = { functionName, ...range };
    const counted = this.#counts.get(values);
    const timed = this.#times.get(values);
    if (counted === undefined || timed === undefined) {
      throw new Error("Cannot read statistics: an aggregate has no row");
    }
    const { sampleCount, run50, run95, run99, total50, total95, total99 } = timed;
    return {
      ...counted,
      sampleCount,
      runUs: { p50: run50, p95: run95, p99: run99 },
      totalUs: { p50: total50, p95: total95, p99: total99 },
    };
  }
}

const counts = `
  SELECT ${summed("count", "count")}, ${summed("failed", "failed")},
    ${summed("timed_out", "timedOut")}, ${summed("cancelled", "cancelled")},
    ${summed("lost", "lost")}, ${summed("cold", "cold")}, ${summed("pooled", "pooled")},
    ${summed("warm", "warm")}
  FROM invocation_minutes WHERE function_name = @functionName AND minute >= @sinceMinute`;

const times = `
  WITH picked AS MATERIALIZED (
    SELECT run_us, finished_at_us - queued_at_us AS total_us
    FROM invocations INDEXED BY invocations_by_function
    WHERE function_name = @functionName AND id >= @sinceId AND kind = 'invoke'
      AND queued_at_us >= @sinceMinute * 60000000
    ORDER BY id DESC LIMIT @maxSampled
  ),
  ${ranked("run")},
  ${ranked("total")}
  SELECT
    count(*) AS sampleCount,
    ${percentile("run", 50)}, ${percentile("run", 95)}, ${percentile("run", 99)},
    ${percentile("total", 50)}, ${percentile("total", 95)}, ${percentile("total", 99)}
  FROM picked`;

function summed(column: string, name: string): string {
  return `coalesce(sum(${column}), 0) AS ${name}`;
}

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
