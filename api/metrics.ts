import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { AgentStocks } from "../runtime/pool/agent-stocks.ts";
import type { Pool } from "../runtime/pool/pool.ts";
import type { Scheduler } from "../runtime/pool/scheduler.ts";
import type { RecordWriter } from "../store/batch.ts";
import type { Database } from "../store/database.ts";
import type { EventQueue } from "./domain/events/event-queue.ts";
import { stagesOf } from "./domain/stages.ts";
import { gaugeEvents } from "./event-metrics.ts";
import { countRunscFailures, measureStore } from "./host-metrics.ts";
import type { Invocation } from "./schema/invocation.ts";

/** What a server counts, in Prometheus' words. */
export interface Metrics {
  readonly registry: Registry;
  /** Counts an invocation that has ended. */
  observe(record: Invocation): void;
  /** Counts a request that was turned away with 429. */
  readonly onThrottled: (reason: string) => void;
  /** Counts an attempt at an event. */
  readonly onAttempt: (kind: string, outcome: string) => void;
}

export interface MetricsSources {
  events: EventQueue;
  pool: Pool;
  /** Sandboxes that wait to be opened. */
  stocks: AgentStocks;
  scheduler: Scheduler;
  database: Database;
  writer: RecordWriter;
  /** How many sandboxes are open. */
  openSandboxes: () => number;
}

const stageBuckets = [
  0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30,
];

/** Metrics of a server of its own registry; gauges are read when they are asked for. */
export function createMetrics(sources: MetricsSources): Metrics {
  const { events, pool, stocks, scheduler, openSandboxes: read } = sources;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  gaugePool(registry, pool, stocks);
  gauge(registry, { name: "runlet_sandboxes_open", help: "Sandboxes that are open", read });
  gaugeScheduler(registry, scheduler);
  gaugeEvents(registry, events);
  measureStore(registry, sources.database, sources.writer);
  countRunscFailures(registry);
  const throttled = new Counter({
    name: "runlet_throttled_total",
    help: "Requests that were turned away with 429, since their caller came too often or there was no room",
    labelNames: ["reason"],
    registers,
  });
  const attempts = new Counter({
    name: "runlet_event_attempts_total",
    help: "Attempts at events, which are calls of functions or deliveries to URLs, by how they ended",
    labelNames: ["kind", "outcome"],
    registers,
  });
  const invocations = new Counter({
    name: "runlet_invocations_total",
    help: "Invocations that have ended",
    labelNames: ["kind", "runtime", "status", "reason", "start"],
    registers,
  });
  const stages = new Histogram({
    name: "runlet_stage_seconds",
    help: "Durations of the stages of an invocation",
    labelNames: ["stage", "start"],
    buckets: stageBuckets,
    registers,
  });
  return {
    registry,
    onThrottled: (reason) => throttled.inc({ reason }),
    onAttempt: (kind, outcome) => attempts.inc({ kind, outcome }),
    observe(record) {
      const { kind, runtime, status, start = "none" } = record;
      invocations.inc({ kind, runtime, status, reason: reasonOf(record), start });
      for (const [stage, us] of stagesOf(record)) {
        stages.observe({ stage, start }, us / 1_000_000);
      }
    },
  };
}

/** Why it did not succeed: what ended its process, or else the code of its error. */
function reasonOf({ error, exitReason }: Invocation): string {
  return error === undefined ? "none" : (exitReason ?? error.code);
}

function gaugePool(registry: Registry, pool: Pool, stocks: AgentStocks): void {
  const fields = {
    ready: "Started, unused containers",
    starting: "Containers that are being started for a stock or for who waits for one",
    waiting: "Invocations that wait for a container",
    target: "Containers that the stock aims at",
  };
  for (const [field, help] of Object.entries(fields) as [keyof typeof fields, string][]) {
    const made = new Gauge({
      name: `runlet_pool_${field}`,
      help,
      labelNames: ["class"],
      registers: [],
      collect() {
        this.reset();
        for (const [name, state] of [...pool.states, ...stocks.states]) {
          this.set({ class: name }, state[field]);
        }
      },
    });
    registry.registerMetric(made);
  }
  const retired = "Used containers that wait for their end";
  gauge(registry, { name: "runlet_pool_retired", help: retired, read: () => pool.retired });
  const warm = "Idle containers that are kept for their function";
  gauge(registry, { name: "runlet_pool_warm", help: warm, read: () => pool.idleWarm });
}

function gaugeScheduler(registry: Registry, scheduler: Scheduler): void {
  const running = "Invocations that have a container or wait for one";
  const waiting = "Invocations that wait for their turn";
  gauge(registry, {
    name: "runlet_invocations_running",
    help: running,
    read: () => scheduler.running,
  });
  gauge(registry, {
    name: "runlet_invocations_waiting",
    help: waiting,
    read: () => scheduler.waiting,
  });
}

function gauge(
  registry: Registry,
  { name, help, read }: { name: string; help: string; read: () => number },
): void {
  const made = new Gauge({
    name,
    help,
    registers: [],
    collect() {
      this.set(read());
    },
  });
  registry.registerMetric(made);
}
