import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isUnknownContainer } from "../runsc/error.ts";
import { processesOf } from "./proc.ts";
import type { Runsc } from "../runsc/runsc.ts";

/**
 * Removes a container in any state. What counts is that runsc knows it no more, since some releases remove a
 * paused container and fail all the same, or that nothing of it runs: then what runsc keeps of it are mere files.
 * @throws RunscError if the container is still there.
 */
export async function forceDelete(runsc: Runsc, id: string, timeoutMs: number): Promise<void> {
  try {
    await runsc.delete(id, { force: true }, { timeoutMs });
  } catch (error) {
    const isOver = (await isGone(runsc, id, timeoutMs)) || processesOf(runsc.root, id).length === 0;
    if (!isOver) throw error;
  }
  await removeTraces(runsc.root, id);
}

/** A runsc that was killed while it made a container leaves its lock, which no command of runsc removes. */
async function removeTraces(root: string, id: string): Promise<void> {
  const names = await readdir(root);
  const left = names.filter(
    (name) => name.startsWith(`${id}_sandbox:`) || name === `runsc-${id}.sock`,
  );
  await Promise.all(left.map(async (name) => await rm(join(root, name), { force: true })));
}

async function isGone(runsc: Runsc, id: string, timeoutMs: number): Promise<boolean> {
  try {
    await runsc.state(id, { timeoutMs });
    return false;
  } catch (error) {
    return isUnknownContainer(error);
  }
}
