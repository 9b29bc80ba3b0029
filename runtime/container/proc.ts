import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import type { SignalName } from "./exit.ts";

const stopBit = 1n << BigInt(constants.signals.SIGSTOP - 1);

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

/** Whether a process of the host has a command line; what runsc runs the code of a guest in has none. */
export function hasArguments(pid: number): boolean {
  return (read(`/proc/${pid}/cmdline`) ?? "") !== "";
}

/** Whether all threads of a process of the host are stopped, or it has ended. */
export function isStopped(pid: number): boolean {
  const threads = threadsOf(pid).map((thread) => read(`/proc/${pid}/task/${thread}/stat`));
  return threads.every((stat) => stat === undefined || "TtXZ".includes(fieldsOf(stat)[0] ?? ""));
}

/** Whether a process of one thread goes about its work: it is neither traced, nor stopped, nor about to be. */
export function isAtWork(pid: number): boolean {
  const status = read(`/proc/${pid}/status`) ?? "";
  const isFree = /^State:\s[RSD]/m.test(status) && /^TracerPid:\s0$/m.test(status);
  const pending = [...status.matchAll(/^S[ih][gd]Pnd:\s(\w+)$/gm)];
  return isFree && pending.every(([, signals]) => (BigInt(`0x${signals}`) & stopBit) === 0n);
}

/** Whether a process of one thread has the processor or waits for it. */
export function isRunnable(pid: number): boolean {
  return statOf(pid)?.[0] === "R";
}

/** How long a process of one thread has had the processor; undefined where there is none. */
export function runTimeOf(pid: number): string | undefined {
  return read(`/proc/${pid}/schedstat`)?.split(" ")[0];
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
  const stat = read(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : fieldsOf(stat);
}

/** The fields of a stat file from the state on. */
function fieldsOf(stat: string): string[] {
  // The second field is the name in brackets, which may hold blanks and brackets itself.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
