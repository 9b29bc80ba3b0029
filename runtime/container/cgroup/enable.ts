import { join } from "node:path";
import { ensureCgroup, processesIn, writeControl } from "./control-file.ts";
import type { Controller, Hierarchy } from "./layout.ts";

const control = "cgroup.subtree_control";

/** Where the processes of a container go that Runlet itself runs in. */
const hostGroup = "runlet-host";

/**
 * Hands the controllers of a v2 hierarchy down to the children of `parent`; answers those that let themselves
 * be handed down.
 *
 * A v2 cgroup with processes in it cannot do that, with the exception of the true root. Inside a container the
 * root is an ordinary cgroup with the container's processes in it: they are moved into a child, where all
 * limits of the container still hold for them.
 */
export function enableControllers(hierarchy: Hierarchy, parent: string): ReadonlySet<Controller> {
  const { directory: root, controllers } = hierarchy;
  const isEnabled = (name: Controller): boolean =>
    handDown(root, name) && enable(parent, name) === undefined;
  return new Set([...controllers].filter(isEnabled));
}

function handDown(root: string, name: Controller): boolean {
  const refusal = enable(root, name);
  if (refusal !== "EBUSY") return refusal === undefined;
  vacate(root, join(root, hostGroup));
  return enable(root, name) === undefined;
}

/** Answers the system's error code where it refuses. */
function enable(directory: string, name: Controller): string | undefined {
  try {
    writeControl(directory, control, `+${name}`);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unknown";
  }
}

/** Moves all processes of one v2 cgroup into another. */
export function vacate(from: string, to: string): void {
  // Whoever forks in between is met in the next round.
  for (let round = 0; round < rounds; round++) {
    const pids = processesIn(from);
    if (pids.length === 0) return;
    ensureCgroup(to);
    for (const pid of pids) move(pid, to);
  }
}

const rounds = 5;

function move(pid: number, to: string): void {
  try {
    writeControl(to, "cgroup.procs", pid);
  } catch {
    // It has ended, or it is one of the kernel's.
  }
}
