import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { runscFailures } from "../runtime/runsc/error.ts";
import type { RecordWriter } from "../store/batch.ts";
import type { Database } from "../store/database.ts";

const commitBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5];

/** Adds how long commits of the record take, and how large it is. */
export function measureStore(registry: Registry, database: Database, writer: RecordWriter): void {
  const commits = new Histogram({
    name: "runlet_store_commit_seconds",
    help: "Durations of the commits of the record",
    buckets: commitBuckets,
    registers: [registry],
  });
  writer.onCommit = (ms) => commits.observe(ms / 1000);
  const size = new Gauge({
    name: "runlet_store_bytes",
    help: "Size of the record on the disk, with the log of its last writes",
    registers: [],
    collect() {
      this.set(database.sizeBytes());
    },
  });
  registry.registerMetric(size);
}

/** Adds how often runsc has failed. */
export function countRunscFailures(registry: Registry): void {
  const failures = new Counter({
    name: "runlet_runsc_errors_total",
    help: "Subcommands of runsc that failed",
    labelNames: ["command"],
    registers: [],
    collect() {
      this.reset();
      for (const [command, count] of runscFailures) this.inc({ command }, count);
    },
  });
  registry.registerMetric(failures);
}
