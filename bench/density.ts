import { readFile } from "node:fs/promises";
import PQueue from "p-queue";
import type { Bench, Context } from "./harness/bench.ts";
import { type IdleCost, idleCostOf, onlyChildren } from "./harness/idle.ts";
import { startServer } from "./harness/server.ts";
import { meanAtMost } from "./harness/verdicts.ts";
import type { Isolator } from "./peers/peer.ts";

const mebibyte = 1024 * 1024;
const startsAtOnce = 2;

/** What an idle container of the pool takes, at so many members and at a fifth of them. */
export const density: Bench = {
  name: "density",
  summary: "idle is nearly free: memory and processor (density-cpu) of an idle pool member",
  peers: ["runsc", "native"],
  defaultRuns: 100,
  counts: "members of the larger pool",
  run: async (context) => {
    const { runs, progress } = context;
    const isolators = await context.peers.isolators();
    const memory = new Map<string, number[]>();
    const cpu = new Map<string, number[]>();
    const facts = new Map<string, { members: number; hostMb: number }>();
    for (const members of new Set([runs, Math.ceil(runs / 5)])) {
      const subjects: [string, Hold][] = [["runlet", async (all) => await holdPool(all, context)]];
      for (const [peer, isolator] of isolators) {
        const idle = isolator.idle?.bind(isolator);
        if (idle) subjects.push([peer, async (all) => await holdIdle(idle, all, context)]);
      }
      for (const [subject, hold] of subjects) {
        progress(`${subject}: ${members} members`);
        const name = members === runs ? subject : `${subject}@${members}`;
        const found = await measure(hold, members, context);
        memory.set(name, found.memoryMb);
        cpu.set(name, found.cpuPercent);
        facts.set(name, { members, hostMb: found.hostMb });
      }
    }
    return [
      {
        name: "density",
        unit: "MiB",
        better: "lower",
        samples: memory,
        facts,
        judge: (result) => [meanAtMost(result, 15, "MiB")],
      },
      {
        name: "density-cpu",
        unit: "% of a core",
        better: "lower",
        samples: cpu,
        facts,
        judge: (result) => [meanAtMost(result, 0.1, "% of a core")],
      },
    ];
  },
};

/** So many idle members, and the first process of each. */
interface Held extends AsyncDisposable {
  readonly pids: readonly number[];
}

type Hold = (members: number) => Promise<Held>;

interface Found extends IdleCost {
  /** What the host has less in all, a member. */
  hostMb: number;
}

async function measure(hold: Hold, members: number, context: Context): Promise<Found> {
  const availableBefore = await availableBytes();
  await using held = await hold(members);
  const cost = await idleCostOf(held.pids, context);
  const available = await availableBytes();
  return { ...cost, hostMb: (availableBefore - available) / members / mebibyte };
}

/** The members are the server's own children. */
async function holdPool(members: number, context: Context): Promise<Held> {
  const size = String(members);
  const server = await startServer(context, { RUNLET_POOL_FLOOR: size, RUNLET_POOL_MAX: size });
  await server.deploy("fresh");
  await server.stocked(members);
  // The container that tried the function at its deployment may still be about to end.
  const pids = await onlyChildren(server.pid, members, context);
  return { pids, [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose]() };
}

async function holdIdle(
  idle: NonNullable<Isolator["idle"]>,
  members: number,
  { signal }: Context,
): Promise<Held> {
  await using stack = new AsyncDisposableStack();
  const queue = new PQueue({ concurrency: startsAtOnce });
  const pids: number[] = [];
  const starts = Array.from({ length: members }, () => async () => {
    pids.push(stack.use(await idle()).pid);
  });
  await queue.addAll(starts, { signal });
  const owned = stack.move();
  return { pids, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}

async function availableBytes(): Promise<number> {
  const text = await readFile("/proc/meminfo", "utf8");
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}
