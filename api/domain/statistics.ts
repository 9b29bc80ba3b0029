import type { InvocationStatistics, Percentiles } from "../../store/invocation-statistics.ts";
import type { FunctionStatistics } from "../schema/statistics.ts";
import type { Functions } from "./functions.ts";
import { idsFrom } from "./invocation-id.ts";

/** How many invocations figures are taken over, so that they hold up the event loop for milliseconds only. */
const maxInvocations = 3000;

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

  /** What a function's invocations of the last `windowMs` milliseconds come to. @throws `not_found`. */
  of(name: string, windowMs: number): FunctionStatistics {
    const { functions, store } = this.#options;
    functions.find(name);
    const sinceMs = Math.max(0, Date.now() - windowMs);
    const row = store.of(name, idsFrom(sinceMs), maxInvocations);
    const { count, isSampled, oldestAtUs, failed, timedOut, cancelled, lost } = row;
    const { cold, pooled, warm } = row;
    const share = (starts: number): number => starts / Math.max(1, cold + pooled + warm);
    return {
      functionName: name,
      windowMs,
      count,
      sampled: isSampled,
      sinceUs: isSampled && oldestAtUs !== null ? oldestAtUs : sinceMs * 1000,
      errors: { failed, timed_out: timedOut, cancelled, lost },
      runUs: percentilesOf(row.runUs),
      totalUs: percentilesOf(row.totalUs),
      starts: { cold: share(cold), pooled: share(pooled), warm: share(warm) },
    };
  }
}

function percentilesOf({ p50, p95, p99 }: Percentiles): FunctionStatistics["runUs"] {
  return p50 === null || p95 === null || p99 === null ? {} : { p50, p95, p99 };
}
