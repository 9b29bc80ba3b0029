import { setTimeout as sleep } from "node:timers/promises";
import { poll } from "../../runtime/deadline.ts";
import type { Context } from "./bench.ts";
import { footprintOf, readFamily } from "./footprint.ts";

const mebibyte = 1024 * 1024;
/** How many windows the processor time is taken over. */
const windows = 5;

/** What each of some that do nothing takes. */
export interface IdleCost {
  readonly memoryMb: number[];
  readonly cpuPercent: number[];
}

/** Looks for a while at what has nothing to do, by the first process of each. */
export async function idleCostOf(
  pids: readonly number[],
  { windowMs, signal }: Context,
): Promise<IdleCost> {
  const family = readFamily();
  const before = pids.map((pid) => footprintOf(pid, family));
  const start = performance.now();
  await sleep(windowMs * windows, undefined, { signal });
  const elapsedNs = (performance.now() - start) * 1e6;
  const after = pids.map((pid) => footprintOf(pid, family));
  return {
    memoryMb: after.map(({ memoryBytes }) => memoryBytes / mebibyte),
    cpuPercent: after.map(({ cpuNs }, at) => {
      return ((cpuNs - (before[at]?.cpuNs ?? 0)) / elapsedNs) * 100;
    }),
  };
}

/** The children of a server once there are so many and no others. */
export async function onlyChildren(
  pid: number,
  count: number,
  { signal }: Context,
): Promise<readonly number[]> {
  const probe = (): readonly number[] | undefined => {
    const children = readFamily().get(pid) ?? [];
    return children.length === count ? children : undefined;
  };
  const options = { timeoutMs: 30_000, intervalMs: 50, signal };
  return await poll(`see ${count} children and nothing else`, probe, options);
}
