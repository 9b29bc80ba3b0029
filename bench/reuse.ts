import { alternate } from "./harness/alternate.ts";
import type { Bench } from "./harness/bench.ts";
import { HttpLoad } from "./harness/http-load.ts";
import { startServer } from "./harness/server.ts";
import { medianAtMost } from "./harness/verdicts.ts";
import { event } from "./harness/workload.ts";
import { httpServers } from "./peers/names.ts";

const warmUps = 200;

/** An invocation over HTTP in a container that is warm for the function, each on record. */
export const reuse: Bench = {
  name: "reuse",
  summary: "warm is as fast as a local server: one invocation after the other, each on record",
  peers: httpServers,
  defaultRuns: 5000,
  counts: "invocations",
  run: async (context) => {
    const { runs, signal, stack } = context;
    const server = await startServer(context);
    await server.heat();
    const path = await server.deploy("reuse");
    const loads = [{ name: "runlet", path, load: server.load(1) }];
    for (const [name, { url }] of await context.peers.httpServers()) {
      loads.push({ name, path: "/", load: stack.use(new HttpLoad(url, 1, signal)) });
    }
    for (const { load, path: at } of loads) {
      for (let left = Math.min(warmUps, runs); left > 0; left--) await load.time(at, event);
    }
    const contestants = loads.map(({ name, path: at, load }) => ({
      name,
      samples: runs,
      sample: async () => await load.time(at, event),
    }));
    const samples = await alternate(contestants, context);
    return [
      {
        name: "reuse",
        unit: "ms",
        better: "lower",
        samples,
        judge: (result) => [medianAtMost(result, 0.5, "ms")],
      },
    ];
  },
};
