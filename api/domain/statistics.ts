import type { InvocationStatistics, Percentiles } from "../../store/invocation-statistics.ts";
import type { FunctionStatistics } from "../schema/statistics.ts";
import type { Functions } from "./functions.ts";
import { idsFrom } from "./invocation-id.ts";

/** How many invocations times are taken from, so that they hold up the event loop for milliseconds only. */
const maxSampled = 3000;

const minuteMs = 60_000;

export interface StatisticsOptions {
  functions: Functions;
  store: InvocationStatistics;
}

/** Figures over the invocations of functions. */
export class Statistics {
  readonly #options: StatisticsOptions;

  constructor(options: StatisticsOptions) {
    this.#options = options;
  }

  /**
   * What a function's invocations of the last `windowMs` milliseconds come to, from the beginning of a minute on,
   * since they are counted by minute. @throws `not_found`.
   */
  of(name: string, windowMs: number): FunctionStatistics {
    const { functions, store } = this.#options;
    functions.find(name);
    const sinceMinute = Math.max(0, Math.floor((Date.now() - windowMs) / minuteMs));
    const sinceMs = sinceMinute * minuteMs;
    const row = store.of(name, { sinceMinute, sinceId: idsFrom(sinceMs), maxSampled });
    const { count, sampleCount, failed, timedOut, cancelled, lost, cold, pooled, warm } = row;
    const share = (starts: number): number => starts / Math.max(1, cold + pooled + warm);
    return {
      functionName: name,
      windowMs,
      sinceUs: sinceMs * 1000,
      count,
      errors: { failed, timed_out: timedOut, cancelled, lost },
      sampled: sampleCount < count,
      sampleCount,
      runUs: percentilesOf(row.runUs),
      totalUs: percentilesOf(row.totalUs),
      starts: { cold: share(cold), pooled: share(pooled), warm: share(warm) },
    };
  }
}

function percentilesOf({ p50, p95, p99 }: Percentiles): FunctionStatistics["runUs"] {
  return p50 === null || p95 === null || p99 === null ? {} : { p50, p95, p99 };
}
