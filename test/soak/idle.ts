import { setTimeout as sleep } from "node:timers/promises";
import { sumOf } from "../../bench/harness/pool-state.ts";
import { poll } from "../../runtime/deadline.ts";
import { isQuiet } from "../load/quiet.ts";
import type { ChildServer } from "../support/child-server.ts";
import { type Counts, countsOf } from "./counts.ts";

/** What an idle server takes, its garbage collected. */
export interface Idle extends Counts {
  readonly memoryBytes: number;
  readonly heapBytes: number;
}

export interface IdleOptions {
  readonly server: ChildServer;
  /** What its data and its state are in. */
  readonly directory: string;
  /** How long it may take until nothing is under way, and no more is there than `atMost`. */
  readonly timeoutMs: number;
  readonly atMost?: Counts;
}

const looksAlike = 3;
const lookEveryMs = 200;
const garbageRounds = 3;

/** Waits until a server is idle and what it has does not change, or is no more than it was; then measures it. */
export async function whenIdle(options: IdleOptions): Promise<Idle> {
  const { server, directory, timeoutMs, atMost } = options;
  let seen = "";
  let times = 0;
  const probe = async (): Promise<true | undefined> => {
    if (!(await isIdle(server))) return undefined;
    const counts = countsOf(server, directory);
    times = JSON.stringify(counts) === seen ? times + 1 : 1;
    seen = JSON.stringify(counts);
    return atMost === undefined ? times >= looksAlike || undefined : isWithin(counts, atMost);
  };
  // What is there too much of is told by who compares.
  await poll("see a server idle", probe, { timeoutMs, intervalMs: lookEveryMs }).catch(() => {});
  const memory = await memoryOf(server);
  return { ...countsOf(server, directory), ...memory };
}

/** The metric without its labels. */
export async function metricOf({ url }: ChildServer, name: string): Promise<number> {
  return sumOf(await (await fetch(`${url}/metrics`)).text(), name);
}

function isWithin(counts: Counts, atMost: Counts): true | undefined {
  const all = Object.keys(counts) as (keyof Counts)[];
  return all.every((each) => counts[each] <= atMost[each]) || undefined;
}

async function isIdle(server: ChildServer): Promise<boolean> {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  const busy = ["pool_starting", "pool_retired", "pool_warm", "sandboxes_open"];
  if (busy.some((name) => sumOf(page, `runlet_${name}`) > 0)) return false;
  const [ready, target] = ["ready", "target"].map((name) => sumOf(page, `runlet_pool_${name}`));
  return (ready ?? 0) >= (target ?? 0) && (await isQuiet(server.client));
}

/** The least of several looks: V8 and the allocator give memory back by and by. */
async function memoryOf(server: ChildServer): Promise<{ memoryBytes: number; heapBytes: number }> {
  let memoryBytes = Infinity;
  for (let round = 0; round < garbageRounds; round++) {
    server.kill("SIGUSR2");
    await sleep(lookEveryMs);
    memoryBytes = Math.min(memoryBytes, server.memory().nowBytes);
  }
  return { memoryBytes, heapBytes: await metricOf(server, "nodejs_heap_size_used_bytes") };
}
