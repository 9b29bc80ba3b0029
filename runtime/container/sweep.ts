import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import PQueue from "p-queue";
import { poll } from "../deadline.ts";
import type { Runsc } from "../runsc/runsc.ts";
import type { Cgroups } from "./cgroup/cgroups.ts";
import { forceDelete } from "./force-delete.ts";
import { processesOf, signalProcess } from "./proc.ts";

/**
 * Removes whatever an earlier process of ours left behind: the runsc processes of this root, its containers,
 * their bundles. Answers the ids of all that was found. Only before the first container of our own.
 */
export async function sweep(options: {
  runsc: Runsc;
  /** The directory that holds the bundles of all containers. */
  bundles: string;
  /** Their cgroups, which know of processes that cannot be told by their arguments any more. */
  cgroups?: Cgroups;
  /** How many runsc commands at once. */
  concurrency: number;
  /** Bound on each step, in milliseconds. */
  timeoutMs?: number;
}): Promise<string[]> {
  const { runsc, bundles, cgroups, timeoutMs = 15_000 } = options;
  const grouped = (await cgroups?.sweep()) ?? [];
  await killProcessesOf(runsc.root, timeoutMs);
  const listed = await runsc.list({ timeoutMs });
  const left = await readdir(bundles).catch(() => []);
  const queue = new PQueue({ concurrency: options.concurrency });
  await queue.addAll(
    listed.map(
      ({ id }) =>
        async () =>
          await forceDelete(runsc, id, timeoutMs),
    ),
  );
  await queue.addAll(
    left.map((name) => async () => await rm(join(bundles, name), { recursive: true, force: true })),
  );
  runsc.clear();
  return [...new Set([...grouped, ...listed.map(({ id }) => id), ...left])].sort();
}

async function killProcessesOf(root: string, timeoutMs: number): Promise<void> {
  await poll(
    `end the processes of ${root}`,
    () => {
      const alive = processesOf(root);
      for (const pid of alive) signalProcess(pid, "SIGKILL");
      return alive.length === 0 ? true : undefined;
    },
    { timeoutMs },
  );
}
