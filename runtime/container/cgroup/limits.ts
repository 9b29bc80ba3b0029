/** What a container may use, as its function has it; the sandbox's own needs come on top. */
export interface CgroupLimits {
  readonly memoryBytes?: number;
  /** CPU time a time, such as 0.5 for half a core. */
  readonly cpus?: number;
  /** Processes and threads inside. */
  readonly pids?: number;
}

const mebibyte = 1024 * 1024;

/**
 * Memory of `runsc run`, the sentry and the sandbox's host processes: 11 MiB at rest, 33 MiB with 3000 threads
 * inside, and some for the page tables of what the guest itself uses.
 */
const sandboxBytes = 48 * mebibyte;

/** Threads of `runsc run` and of the sentry: 18 at rest, 25 in work, more on a machine with more cores. */
const sandboxTasks = 128;

/** A process inside is up to three of the host's: one that holds its memory, and those that run its threads. */
const tasksPerProcess = 4;

/** The bound on a container's cgroup, in bytes. */
export function cgroupBytes(memoryBytes: number): number {
  return memoryBytes + sandboxBytes;
}

/**
 * The bound on the host's tasks. It is the second line: inside, a process limit refuses a fork before the
 * sandbox is refused one, which it would not survive.
 */
export function cgroupTasks(pids: number): number {
  return pids * tasksPerProcess + sandboxTasks;
}
