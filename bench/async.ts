import type { EventDetail } from "../api/schema/event.ts";
import { poll } from "../runtime/deadline.ts";
import { alternate } from "./harness/alternate.ts";
import type { Bench, Context } from "./harness/bench.ts";
import { rateOf } from "./harness/rate.ts";
import { type Server, startServer } from "./harness/server.ts";
import { event } from "./harness/workload.ts";

const connections = 16;
const drainTimeoutMs = 300_000;
const latencies = 200;
const headers = { "content-type": "application/json", prefer: "respond-async" };

/** Events accepted a second while they are run beside it, and the time from acceptance to the end of the run. */
export const asynchronous: Bench = {
  name: "async",
  summary: "a 202 is a promise: events accepted a second, and acceptance to end (async-latency)",
  peers: [],
  defaultRuns: 5,
  counts: "windows",
  run: async (context) => {
    const { runs, windowMs, signal } = context;
    const server = await startServer(context);
    await server.heat();
    const path = await server.deploy("reuse");
    const load = server.load(connections);
    const accept = async (): Promise<void> => {
      const { status, body } = await load.post(path, event, headers);
      if (status !== 202) throw new Error(`Cannot measure ${path}: it answered ${status}: ${body}`);
    };
    const rate = {
      name: "runlet",
      samples: runs,
      sample: async () => await rateOf(accept, { concurrency: connections, windowMs, signal }),
      chunk: 1,
      settle: async () => await drained(server, context),
    };
    const latency = {
      name: "runlet",
      samples: Math.min(latencies, runs * 100),
      sample: async () => await throughQueue(server, context),
    };
    return [
      {
        name: "async",
        unit: "events/s",
        better: "higher",
        samples: await alternate([rate], context),
        facts: new Map([["runlet", { connections }]]),
      },
      {
        name: "async-latency",
        unit: "ms",
        better: "lower",
        samples: await alternate([latency], context),
      },
    ];
  },
};

/** Milliseconds from the acceptance of one event to its end, by the server's own clock. */
async function throughQueue({ client }: Server, { signal }: Context): Promise<number> {
  const { eventId } = await client.invokeAsync("reuse", { event, signal });
  const ended = async (): Promise<EventDetail | undefined> => {
    const detail = await client.event(eventId);
    return detail.endedAtUs === undefined ? undefined : detail;
  };
  const options = { timeoutMs: drainTimeoutMs, intervalMs: 2, signal };
  const { state, endedAtUs = 0, acceptedAtUs } = await poll("see the event end", ended, options);
  if (state === "succeeded") return (endedAtUs - acceptedAtUs) / 1000;
  throw new Error(`Cannot measure event ${eventId}: it is ${state}`);
}

/** Waits until every event has ended: what is left of one window must not slow the next. */
async function drained({ client }: Server, { signal }: Context): Promise<void> {
  const isEmpty = async (): Promise<true | undefined> => {
    for (const state of ["queued", "running"] as const) {
      if ((await client.events({ state, limit: 1 })).items.length > 0) return undefined;
    }
    return true;
  };
  const options = { timeoutMs: drainTimeoutMs, intervalMs: 50, signal };
  await poll("see the queue empty", isEmpty, options);
}
