import type { Bench, Context } from "./harness/bench.ts";
import { type Server, startServer } from "./harness/server.ts";
import { percentile } from "./harness/statistics.ts";
import { event } from "./harness/workload.ts";

const rounds = 3;

/** So many invocations at the same moment, each timed from that moment to its answer. */
export const burst: Bench = {
  name: "burst",
  summary: "100 invocations at once on a stocked pool, and on an empty one (@empty)",
  peers: ["runsc", "native"],
  defaultRuns: 100,
  counts: "invocations at once",
  run: async (context) => {
    const { runs, progress, signal } = context;
    const subjects = await subjectsOf(context);
    const samples = new Map<string, number[]>();
    const allMs = new Map<string, number[]>();
    for (let round = 1; round <= rounds; round++) {
      for (const { name, prepare, one } of subjects) {
        signal.throwIfAborted();
        progress(`round ${round} of ${rounds}: ${name}`);
        await prepare();
        const start = performance.now();
        const answered = await Promise.all(Array.from({ length: runs }, one));
        const latencies = answered.map((atMs) => atMs - start);
        samples.set(name, [...(samples.get(name) ?? []), ...latencies]);
        allMs.set(name, [...(allMs.get(name) ?? []), Math.max(...latencies)]);
      }
    }
    const facts = new Map(
      [...allMs].map(([name, all]) => {
        const last = percentile(
          all.toSorted((a, b) => a - b),
          50,
        );
        return [name, { lastMs: last, perSecond: runs / (last / 1000) }] as const;
      }),
    );
    return [{ name: "burst", unit: "ms", better: "lower", samples, facts }];
  },
};

interface Subject {
  name: string;
  /** Waits until everything is as it should be at the start. */
  prepare: () => Promise<void>;
  /** Answers the moment of its answer. */
  one: () => Promise<number>;
}

async function subjectsOf(context: Context): Promise<Subject[]> {
  const { runs, peers } = context;
  const size = String(runs);
  const stocked = await startServer(context, {
    RUNLET_MAX_CONCURRENCY: size,
    RUNLET_POOL_FLOOR: size,
    RUNLET_POOL_MAX: size,
  });
  const empty = await startServer(context, { RUNLET_MAX_CONCURRENCY: size, RUNLET_POOL_MAX: "0" });
  // Whoever's turn it is, neither a refill nor an end of the turn before goes on beside it.
  const prepare = async (): Promise<void> => {
    await empty.empty();
    await stocked.stocked(runs);
  };
  const subjects = [
    { name: "runlet", prepare, one: await invoking(stocked, runs) },
    { name: "runlet@empty", prepare, one: await invoking(empty, runs) },
  ];
  for (const [name, isolator] of await peers.isolators()) {
    const one = async (): Promise<number> => (await isolator.answer()).answeredAtMs;
    subjects.push({ name, prepare, one });
  }
  return subjects;
}

async function invoking(server: Server, connections: number): Promise<() => Promise<number>> {
  const path = await server.deploy("fresh");
  const load = server.load(connections);
  return async () => {
    await load.time(path, event);
    return performance.now();
  };
}
