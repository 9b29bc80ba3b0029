import { alternate } from "./harness/alternate.ts";
import type { Bench } from "./harness/bench.ts";
import { timedPeers } from "./harness/contestants.ts";
import { startServer } from "./harness/server.ts";
import { medianAtMost, ratioAtLeast } from "./harness/verdicts.ts";
import { event } from "./harness/workload.ts";
import { isolators } from "./peers/names.ts";

/** More than twice the chunk, so that no refill begins within it. */
const stock = 16;
const chunk = 5;
const warmUps = 20;

/** An invocation over HTTP in a container that nobody used before, taken from a full stock. */
export const fresh: Bench = {
  name: "fresh",
  summary: "a fresh sandbox costs a millisecond: an invocation from a stocked pool",
  peers: isolators,
  defaultRuns: 200,
  counts: "invocations",
  run: async (context) => {
    const { runs } = context;
    const floor = Math.min(stock, 3 * runs);
    const server = await startServer(context, { RUNLET_POOL_FLOOR: String(floor) });
    await server.heat();
    const path = await server.deploy("fresh");
    const load = server.load(1);
    const runlet = {
      name: "runlet",
      samples: runs,
      chunk,
      settle: async () => await server.stocked(floor),
      sample: async () => await load.time(path, event),
    };
    await alternate([{ ...runlet, samples: Math.min(warmUps, runs) }], { ...context, rounds: 1 });
    const peers = timedPeers(
      await context.peers.isolators(),
      (isolator) => async () => await isolator.answer(),
      { runs },
    );
    const samples = await alternate([runlet, ...peers], context);
    return [
      {
        name: "fresh",
        unit: "ms",
        better: "lower",
        samples,
        judge: (result) => [
          medianAtMost(result, 2, "ms"),
          ratioAtLeast(result, "docker-runsc", 100),
        ],
      },
    ];
  },
};
