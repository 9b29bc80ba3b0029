import { readdirSync, readFileSync } from "node:fs";
import type { SignalName } from "./exit.ts";

/** The parent of a process of the host, or undefined if there is no such process. */
export function parentOf(pid: number): number | undefined {
  // The second field is the name in brackets, which may hold blanks and brackets itself.
  const stat = read(`/proc/${pid}/stat`);
  const parent = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
  return parent === undefined ? undefined : Number(parent);
}

/** Whether a process of the host is runsc at work on `root`, and there on the container `id` if one is given. */
export function isProcessOf(pid: number, root: string, id?: string): boolean {
  // A process that has ended and is not reaped yet has no arguments any more.
  const args = read(`/proc/${pid}/cmdline`)?.split("\0") ?? [];
  return args.includes(`--root=${root}`) && (id === undefined || args.includes(id));
}

/** The processes of {@link isProcessOf} now. */
export function processesOf(root: string, id?: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => isProcessOf(pid, root, id));
}

/** Sends a signal to a process of the host; tells whether there was one. */
export function signalProcess(pid: number, signal: SignalName): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
