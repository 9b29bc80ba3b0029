import { isUnknownContainer } from "../runsc/error.ts";
import type { Runsc } from "../runsc/runsc.ts";

/**
 * Removes a container in any state. What counts is that runsc knows it no more: some releases remove a paused
 * container and fail all the same.
 * @throws RunscError if the container is still there.
 */
export async function forceDelete(runsc: Runsc, id: string, timeoutMs: number): Promise<void> {
  try {
    await runsc.delete(id, { force: true }, { timeoutMs });
  } catch (error) {
    if (!(await isGone(runsc, id, timeoutMs))) throw error;
  }
}

async function isGone(runsc: Runsc, id: string, timeoutMs: number): Promise<boolean> {
  try {
    await runsc.state(id, { timeoutMs });
    return false;
  } catch (error) {
    return isUnknownContainer(error);
  }
}
