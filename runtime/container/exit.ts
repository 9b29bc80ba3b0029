import { constants } from "node:os";

/** Why a process ended, or why it counts as ended. The first cause wins. */
export type ExitReason =
  | "exited"
  | "signaled"
  | "timeout"
  | "oom"
  | "cancelled"
  | "lost"
  | "failed";

/** A signal by its POSIX name. */
export type SignalName = keyof typeof constants.signals;

/** How a process ended. `code` is the exit code, or 128 + n where signal n ended it, as a shell has it. */
export interface Exit {
  readonly code: number;
  readonly signal: SignalName | undefined;
  readonly reason: ExitReason;
  /** Wall clock, milliseconds since the epoch. */
  readonly atMs: number;
  /** What runsc said, where it was runsc and not the function that failed. */
  readonly message?: string;
}

const names = new Map<number, SignalName>(
  (Object.entries(constants.signals) as [SignalName, number][])
    .toReversed()
    .map(([name, n]) => [n, name]),
);

/**
 * Reads a raw wait status as wait(2) has it, which tells an `exit 143` from a death by SIGTERM.
 * The shell's 128 + n, which runsc itself exits with, does not.
 */
export function exitOfWaitStatus(waitStatus: number, atMs: number = Date.now()): Exit {
  const signal = waitStatus & 0x7f;
  if (signal === 0) {
    return { code: (waitStatus >> 8) & 0xff, signal: undefined, reason: "exited", atMs };
  }
  return { code: 128 + signal, signal: names.get(signal), reason: "signaled", atMs };
}

/**
 * Reads a status of the shell's form, 128 + n for signal n: what is left where runsc tells no more
 * (`runsc wait`, or a runsc that was killed itself).
 */
export function exitOfShellStatus(status: number, atMs: number = Date.now()): Exit {
  const signal = status > 128 ? names.get(status - 128) : undefined;
  return { code: status, signal, reason: signal === undefined ? "exited" : "signaled", atMs };
}

/** How a process counts that was killed with SIGKILL for `reason`, or that nobody saw end. */
export function killedExit(reason: ExitReason, message?: string): Exit {
  const exit: Exit = { code: 137, signal: "SIGKILL", reason, atMs: Date.now() };
  return message === undefined ? exit : { ...exit, message };
}

/** How a process counts that runsc could not start or lost sight of: with runsc's own status, 128. */
export function internalExit(reason: "failed" | "lost", message: string): Exit {
  return { code: 128, signal: undefined, reason, atMs: Date.now(), message };
}

/** The name of a signal's number, or undefined where it has none. */
export function signalNameOf(number: number): SignalName | undefined {
  return names.get(number);
}

/** The number of a signal. */
export function signalNumber(name: SignalName): number {
  return constants.signals[name];
}
