import { alternate, type Contestant } from "./harness/alternate.ts";
import type { Bench, Context } from "./harness/bench.ts";
import { rateOf } from "./harness/rate.ts";
import { startServer } from "./harness/server.ts";
import { ratioAtLeast } from "./harness/verdicts.ts";
import { event } from "./harness/workload.ts";
import { isolators } from "./peers/names.ts";

const levels = [1, 2, 4, 8];
/** The level whose series bear the plain names. */
const mainLevel = 4;

/** Fresh containers a second that are started, used and ended, without stock. */
export const throughput: Bench = {
  name: "throughput",
  summary: "Runlet adds no cost of its own: fresh containers a second at concurrency 1, 2, 4, 8",
  peers: isolators,
  defaultRuns: 5,
  counts: "windows at each concurrency",
  run: async (context) => {
    const peers = await context.peers.isolators();
    const contestants: Contestant[] = [];
    const facts = new Map<string, { concurrency: number }>();
    for (const concurrency of levels) {
      const subjects = [await runletAt(concurrency, context)];
      for (const [name, isolator] of peers) {
        subjects.push({ name, one: async () => await isolator.answer() });
      }
      for (const subject of subjects) {
        const contestant = contestantOf(subject, concurrency, context);
        contestants.push(contestant);
        facts.set(contestant.name, { concurrency });
      }
    }
    return [
      {
        name: "throughput",
        unit: "containers/s",
        better: "higher",
        samples: await alternate(contestants, context),
        facts,
        judge: (result) => [ratioAtLeast(result, "runsc", 0.9)],
      },
    ];
  },
};

interface Subject {
  name: string;
  /** Starts, uses and ends one container. */
  one: () => Promise<unknown>;
  settle?: () => Promise<void>;
}

/** A server answers before a container has ended, so that beside those in use there may be some that end. */
async function runletAt(concurrency: number, context: Context): Promise<Subject> {
  const server = await startServer(context, {
    RUNLET_POOL_MAX: "0",
    RUNLET_MAX_CONCURRENCY: String(concurrency),
  });
  const path = await server.deploy("fresh");
  const load = server.load(concurrency);
  return {
    name: "runlet",
    one: async () => await load.time(path, event),
    settle: async () => await server.empty(),
  };
}

function contestantOf(
  { name, one, settle }: Subject,
  concurrency: number,
  { runs, windowMs, signal }: Context,
): Contestant {
  return {
    name: concurrency === mainLevel ? name : `${name}@${concurrency}`,
    samples: runs,
    sample: async () => await rateOf(one, { concurrency, windowMs, signal }),
    ...(settle && { settle, chunk: 1 }),
  };
}
