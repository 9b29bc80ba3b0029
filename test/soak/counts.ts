import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { readFamily } from "../../bench/harness/footprint.ts";
import type { ChildServer } from "../support/child-server.ts";
import { cgroupTreesOf, mountsOf, namespacesOf, runscPidsOf } from "../support/sandboxes.ts";

/** What a server has of its host. */
export interface Counts {
  readonly descriptors: number;
  readonly threads: number;
  /** Those that it started with all that came of them, and containers that have lost it. */
  readonly processes: number;
  /** Files and directories below its own directories. */
  readonly entries: number;
  readonly mounts: number;
  readonly cgroups: number;
  readonly namespaces: number;
}

/** Counts it now. `directory` is what its data and its state are in. */
export function countsOf({ pid, stateDir }: ChildServer, directory: string): Counts {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const name = basename(directory);
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: Number(/^Threads:\s+(\d+)/m.exec(status)?.[1]),
    processes: new Set([...descendantsOf(pid), ...runscPidsOf(stateDir)]).size,
    entries: entriesIn(directory),
    mounts: mountsOf(stateDir).length,
    cgroups: cgroupTreesOf(name).length,
    namespaces: namespacesOf(name).length,
  };
}

function descendantsOf(pid: number): number[] {
  const family = readFamily();
  const of = (parent: number): number[] =>
    (family.get(parent) ?? []).flatMap((child) => [child, ...of(child)]);
  return of(pid);
}

/** Of pipes there is a stock, which is full at one moment and empty at another. */
const stockDirectory = "pipes";

/** Some go while they are looked at. */
function entriesIn(directory: string): number {
  const inside = existsSync(directory) ? readdirSync(directory, { withFileTypes: true }) : [];
  return inside.reduce((sum, each) => {
    const isCounted = each.isDirectory() && each.name !== stockDirectory;
    const below = isCounted ? entriesIn(join(directory, each.name)) : 0;
    return sum + 1 + below;
  }, 0);
}
