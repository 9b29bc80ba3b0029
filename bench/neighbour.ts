import type { FunctionSpecInput } from "../api/schema/function.ts";
import { alternate, type Contestant } from "./harness/alternate.ts";
import type { Bench, Context } from "./harness/bench.ts";
import { type Server, startServer } from "./harness/server.ts";
import { variantAtMost } from "./harness/verdicts.ts";
import { event } from "./harness/workload.ts";

const rounds = 5;
const limits = { timeoutMs: 60_000, memoryBytes: 128 * 1024 * 1024, cpus: 1, pids: 64 };

/** What runs beside the function that is timed, each within the limits of a function that asks for little. */
const hostile: Readonly<Record<string, FunctionSpecInput>> = {
  loop: { runtime: "node", code: { source: "export const handler = () => { for (;;); };" } },
  hog: {
    runtime: "node",
    code: {
      source:
        "const all = []; export const handler = () => { for (;;) all.push(Buffer.alloc(8e6, 1)); };",
    },
  },
  bomb: { runtime: "command", command: ["sh", "-c", "bomb() { bomb | bomb & }; bomb; sleep 60"] },
};

/** The time of a warm invocation alone, and while another function does its worst. */
export const neighbour: Bench = {
  name: "neighbour",
  summary: "nobody harms a neighbour: an invocation beside a busy loop, a memory hog, a fork bomb",
  peers: [],
  defaultRuns: 1000,
  counts: "invocations beside each",
  run: async (context) => {
    const { runs } = context;
    const server = await startServer(context);
    await server.heat();
    const path = await server.deploy("reuse");
    for (const [name, spec] of Object.entries(hostile)) {
      await server.client.deploy(name, { ...limits, ...spec });
    }
    const load = server.load(1);
    const alone: Contestant = {
      name: "runlet",
      samples: runs,
      sample: async () => await load.time(path, event),
      // What the turn before has ended is still being put away, and replaced.
      settle: async () => await server.stocked(0),
    };
    const besides = Object.keys(hostile).map((name) => ({
      ...alone,
      name: `runlet@${name}`,
      beside: async () => running(name, server, context),
    }));
    const samples = await alternate([alone, ...besides], { ...context, rounds });
    return [
      {
        name: "neighbour",
        unit: "ms",
        better: "lower",
        samples,
        judge: (result) => besides.map(({ name }) => variantAtMost(result, name, 2)),
      },
    ];
  },
};

/** Keeps a function running, again and again as it is ended, until it is disposed. */
function running(name: string, { client }: Server, { signal }: Context): AsyncDisposable {
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const keep = async (): Promise<void> => {
    while (!until.aborted) await client.invoke(name, { signal: until }).catch(() => undefined);
  };
  const kept = keep();
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await kept;
    },
  };
}
