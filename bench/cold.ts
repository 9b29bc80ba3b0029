import { alternate } from "./harness/alternate.ts";
import type { Bench } from "./harness/bench.ts";
import { timedPeers } from "./harness/contestants.ts";
import { startServer } from "./harness/server.ts";
import { costAtMost } from "./harness/verdicts.ts";
import { event } from "./harness/workload.ts";
import { isolators } from "./peers/names.ts";

/** An invocation over HTTP where nothing is in stock, beside a bare `runsc run` of the same runner. */
export const cold: Bench = {
  name: "cold",
  summary: "an empty pool costs nothing extra: an invocation with nothing in stock",
  peers: isolators,
  defaultRuns: 50,
  counts: "invocations",
  run: async (context) => {
    const { runs } = context;
    const server = await startServer(context, { RUNLET_POOL_MAX: "0" });
    const path = await server.deploy("fresh");
    const load = server.load(1);
    const runlet = {
      name: "runlet",
      samples: runs,
      chunk: 1,
      settle: async () => await server.empty(),
      sample: async () => await load.time(path, event),
    };
    const peers = timedPeers(
      await context.peers.isolators(),
      (isolator) => async () => await isolator.answer(),
      { runs },
    );
    const samples = await alternate([runlet, ...peers], context);
    return [
      {
        name: "cold",
        unit: "ms",
        better: "lower",
        samples,
        judge: (result) => [costAtMost(result, "runsc", 1.15)],
      },
    ];
  },
};
