import { Gauge, type Registry } from "prom-client";
import type { EventQueue } from "./domain/events/event-queue.ts";

/** Adds what is to be seen of the queue of events: how many are in it, and how old the oldest one is. */
export function gaugeEvents(registry: Registry, queue: EventQueue): void {
  const counts = new Gauge({
    name: "runlet_events",
    help: "Events that are queued, running or dead",
    labelNames: ["function", "kind", "state"],
    registers: [],
    async collect() {
      const depths = await queue.depths();
      this.reset();
      for (const { functionName, kind, state, count } of depths) {
        this.set({ function: functionName, kind, state }, count);
      }
    },
  });
  const oldest = new Gauge({
    name: "runlet_events_oldest_queued_seconds",
    help: "Age of the oldest event that waits",
    labelNames: ["function"],
    registers: [],
    async collect() {
      const depths = await queue.depths();
      this.reset();
      for (const { functionName, state, oldestId } of depths) {
        if (state !== "queued") continue;
        this.set({ function: functionName }, Math.max(0, Date.now() - madeAtMs(oldestId)) / 1000);
      }
    },
  });
  registry.registerMetric(counts);
  registry.registerMetric(oldest);
}

/** The first 48 bits of a UUID v7 are the time. */
function madeAtMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
