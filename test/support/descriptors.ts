import { readdirSync, readlinkSync } from "node:fs";

/** Whether a process has a file open. */
export function hasOpen(pid: number, path: string): boolean {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).some((fd) => {
    try {
      return readlinkSync(`${directory}/${fd}`) === path;
    } catch {
      return false;
    }
  });
}
