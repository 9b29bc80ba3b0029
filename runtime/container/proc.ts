import { readdirSync, readFileSync } from "node:fs";
import type { SignalName } from "./exit.ts";

/** The parent of a process of the host, or undefined if there is no such process. */
export function parentOf(pid: number): number | undefined {
  const parent = statOf(pid)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/** When a process of the host was started, to tell it from a later one of the same number. */
export function startOf(pid: number): string | undefined {
  return statOf(pid)?.[19];
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

/** What the kernel tells of a process, from its state on. */
function statOf(pid: number): string[] | undefined {
  // The second field is the name in brackets, which may hold blanks and brackets itself.
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
