import { rmdirSync } from "node:fs";
import { poll } from "../../deadline.ts";
import { signalProcess } from "../proc.ts";
import { processesIn } from "./control-file.ts";

/**
 * Removes a cgroup, which may be gone already, and kills whatever is left in it.
 * @throws `deadline_exceeded` where something in it cannot be killed.
 */
export async function removeCgroup(directory: string, timeoutMs: number): Promise<void> {
  await poll(
    `remove cgroup ${directory}`,
    () => {
      if (isRemoved(directory)) return true;
      for (const pid of processesIn(directory)) {
        if (pid !== process.pid) signalProcess(pid, "SIGKILL");
      }
      return undefined;
    },
    { timeoutMs, intervalMs: 5 },
  );
}

/** A cgroup is busy until the last of its processes is gone, a moment after that was killed. */
function isRemoved(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return true;
    if (code === "EBUSY" || code === "ENOTEMPTY") return false;
    throw error;
  }
}
