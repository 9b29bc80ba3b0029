import PQueue from "p-queue";
import { isStopped } from "../runtime/container/proc.ts";
import { poll } from "../runtime/deadline.ts";
import type { Bench } from "./harness/bench.ts";
import { readFamily } from "./harness/footprint.ts";
import { idleCostOf, onlyChildren } from "./harness/idle.ts";
import type { Measurement } from "./harness/result.ts";
import { startServer } from "./harness/server.ts";
import { meanAtMost } from "./harness/verdicts.ts";

const memoryBytes = 128 * 1024 * 1024;
const opensAtOnce = 2;
/** A hundred are to fit in two gibibytes. */
const mostMemoryMb = 2048 / 100;

const cpu = {
  unit: "% of a core",
  better: "lower",
  judge: (result) => [meanAtMost(result, 0.1, "% of a core")],
} as const satisfies Partial<Measurement>;

/** What open sandboxes take that nobody asks for anything. */
export const sandboxDensity: Bench = {
  name: "sandbox-density",
  summary: "open sandboxes that do nothing: memory and processor, and the latter of paused ones",
  peers: [],
  defaultRuns: 100,
  counts: "open sandboxes",
  run: async (context) => {
    const { runs, progress, signal } = context;
    const server = await startServer(context, {
      RUNLET_POOL_FLOOR: "0",
      RUNLET_POOL_MAX: "0",
      RUNLET_MAX_SANDBOXES: String(runs),
      RUNLET_MAX_SANDBOX_MEMORY_BYTES: String(runs * memoryBytes),
    });
    const { client } = server;
    progress(`opening ${runs}`);
    const queue = new PQueue({ concurrency: opensAtOnce });
    const opens = Array.from({ length: runs }, () => async () => {
      return await client.createSandbox({ memoryBytes, timeoutMs: 3_600_000 });
    });
    const opened = await queue.addAll(opens, { signal });
    const pids = await onlyChildren(server.pid, runs, context);
    progress("waiting until nothing goes on in them");
    const areAtRest = (): true | undefined => {
      const family = readFamily();
      return pids.every((pid) => family.get(pid)?.every(isStopped)) || undefined;
    };
    await poll("see all sandboxes rest", areAtRest, { timeoutMs: 60_000, intervalMs: 50, signal });
    progress("looking at idle ones");
    const idle = await idleCostOf(pids, context);
    for (const { id } of opened) {
      // One that rests would stand still by itself.
      await client.listFiles(id, "/");
      await client.pauseSandbox(id);
    }
    progress("looking at paused ones");
    const paused = await idleCostOf(pids, context);
    return [
      {
        name: "sandbox-density",
        unit: "MiB",
        better: "lower",
        samples: new Map([["runlet", idle.memoryMb]]),
        judge: (result) => [meanAtMost(result, mostMemoryMb, "MiB")],
      },
      { name: "sandbox-density-cpu", ...cpu, samples: new Map([["runlet", idle.cpuPercent]]) },
      { name: "sandbox-paused-cpu", ...cpu, samples: new Map([["runlet", paused.cpuPercent]]) },
    ];
  },
};
