import { readdirSync, readFileSync } from "node:fs";
import { parentOf } from "../../runtime/container/proc.ts";

/** What a process and its descendants take. */
export interface Footprint {
  /** Resident memory in bytes; what several share counts in parts. */
  readonly memoryBytes: number;
  /** Processor time so far, nanoseconds. */
  readonly cpuNs: number;
}

/** The processes of the host by the process that started them. */
export type Family = ReadonlyMap<number, readonly number[]>;

/** Reads who started whom. */
export function readFamily(): Family {
  const family = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const parent = Number.isInteger(pid) ? parentOf(pid) : undefined;
    if (parent === undefined) continue;
    family.set(parent, [...(family.get(parent) ?? []), pid]);
  }
  return family;
}

/** Adds up a process and all that came of it. */
export function footprintOf(pid: number, family: Family): Footprint {
  const all = descendants(pid, family);
  // systrap runs the threads of one guest process in several of the host's, all on the same memory.
  const spaces = new Map(all.map((each) => [read(`/proc/${each}/maps`), each]));
  return {
    memoryBytes: spaces.values().reduce((sum, each) => sum + memoryOf(each), 0),
    cpuNs: all.reduce((sum, each) => sum + cpuOf(each), 0),
  };
}

function descendants(pid: number, family: Family): number[] {
  const children = family.get(pid) ?? [];
  return [pid, ...children.flatMap((child) => descendants(child, family))];
}

function memoryOf(pid: number): number {
  const rollup = read(`/proc/${pid}/smaps_rollup`);
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
}

/** The first number is the time on a processor. */
function cpuOf(pid: number): number {
  const times = tasksOf(pid).map((task) => read(`/proc/${pid}/task/${task}/schedstat`));
  return times.reduce((sum, text) => sum + Number(text.split(" ")[0] ?? 0), 0);
}

function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** A process may end while it is looked at. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
