import type { FunctionSpecInput } from "../api/schema/function.ts";
import { alternate, type Contestant } from "./harness/alternate.ts";
import type { Bench, Context } from "./harness/bench.ts";
import type { HttpLoad } from "./harness/http-load.ts";
import { type Server, startServer } from "./harness/server.ts";
import { variantAtMost } from "./harness/verdicts.ts";
import { event } from "./harness/workload.ts";

const rounds = 5;
const floodConnections = 64;
/** Waits more than it computes, so that slots are what is scarce and not processors. */
const runMs = 20;
const source = `export const handler = () => new Promise((done) => setTimeout(done, ${runMs}, "done"));`;
const spec: FunctionSpecInput = { runtime: "node", isolation: "reuse", code: { source } };

/** The time of one function's invocation alone, and while another function has all slots busy and a crowd waiting. */
export const fairness: Bench = {
  name: "fairness",
  summary: "a flood on one function starves no other: its p99 alone, and beside the flood",
  peers: [],
  defaultRuns: 500,
  counts: "invocations, and as many beside a flood",
  run: async (context) => {
    const { runs } = context;
    const server = await startServer(context);
    await server.heat();
    for (const name of ["quiet", "flood"]) await server.client.deploy(name, spec);
    const load = server.load(1);
    const alone: Contestant = {
      name: "runlet",
      samples: runs,
      sample: async () => await load.time("/v1/functions/quiet/invocations", event),
    };
    const crowd = server.load(floodConnections);
    const beside: Contestant = {
      ...alone,
      name: "runlet@flood",
      beside: async () => await flood(server, crowd, context),
    };
    const samples = await alternate([alone, beside], { ...context, rounds });
    return [
      {
        name: "fairness",
        unit: "ms",
        better: "lower",
        samples,
        judge: (result) => [variantAtMost(result, "runlet@flood", 3, "p99")],
      },
    ];
  },
};

/** Keeps a crowd calling until it is disposed; there when each slot is taken and somebody waits. */
async function flood(
  { client }: Server,
  load: HttpLoad,
  { signal }: Context,
): Promise<AsyncDisposable> {
  const stop = new AbortController();
  const call = async (): Promise<void> => {
    while (!stop.signal.aborted) await load.post("/v1/functions/flood/invocations", event);
  };
  const crowd = Promise.all(Array.from({ length: floodConnections }, call));
  // Whoever comes after this one has come through a crowd.
  await client.invoke("flood", { signal });
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await crowd;
    },
  };
}
