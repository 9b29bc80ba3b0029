import { alternate, type Contestant } from "./harness/alternate.ts";
import type { Bench } from "./harness/bench.ts";
import { HttpLoad } from "./harness/http-load.ts";
import { rateOf } from "./harness/rate.ts";
import { startServer } from "./harness/server.ts";
import { medianAtLeast } from "./harness/verdicts.ts";
import { event } from "./harness/workload.ts";
import { httpServers } from "./peers/names.ts";

const levels = [1, 16];
/** The level whose series bear the plain names. */
const mainLevel = 16;

/** Requests a second over loopback; the load comes from this process, the servers are others. */
export const http: Bench = {
  name: "http",
  summary: "warm is as fast as a local server: requests a second at 1 and 16 connections",
  peers: httpServers,
  defaultRuns: 10,
  counts: "windows at each number of connections",
  run: async (context) => {
    const { runs, windowMs, signal, stack } = context;
    const server = await startServer(context);
    await server.heat();
    const path = await server.deploy("reuse");
    const subjects = [{ name: "runlet", path, load: server.load(mainLevel) }];
    for (const [name, { url }] of await context.peers.httpServers()) {
      subjects.push({ name, path: "/", load: stack.use(new HttpLoad(url, mainLevel, signal)) });
    }
    const contestants: Contestant[] = [];
    const facts = new Map<string, { connections: number }>();
    for (const connections of levels) {
      for (const { name: subject, path: at, load } of subjects) {
        const name = connections === mainLevel ? subject : `${subject}@${connections}`;
        const one = async (): Promise<number> => await load.time(at, event);
        const measure = async (forMs: number): Promise<number> =>
          await rateOf(one, { concurrency: connections, windowMs: forMs, signal });
        // Not measured: containers start, and code is compiled.
        await measure(windowMs / 2);
        contestants.push({ name, samples: runs, sample: async () => await measure(windowMs) });
        facts.set(name, { connections });
      }
    }
    return [
      {
        name: "http",
        unit: "requests/s",
        better: "higher",
        samples: await alternate(contestants, context),
        facts,
        judge: (result) => [medianAtLeast(result, 5000, "requests/s")],
      },
    ];
  },
};
