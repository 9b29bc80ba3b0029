import { readFileSync, rmSync, symlinkSync } from "node:fs";
import type { GlobalOptions } from "./options.ts";
import type { SandboxLog } from "./sandbox-log.ts";

/** Where a trace is and whose it is. */
export type TraceName = NonNullable<GlobalOptions["trace"]>;

interface LogEntry {
  level?: unknown;
  msg?: unknown;
}

/**
 * The message of the last complete error entry of a runsc log, or undefined. The log is a stream of JSON
 * objects with nothing between them, and its tail may be cut when runsc died while writing.
 */
export function lastError(log: string): string | undefined {
  let last: string | undefined;
  for (const text of jsonObjects(log)) {
    const entry = parse(text);
    if (entry?.level === "error" && typeof entry.msg === "string") last = entry.msg.trim();
  }
  return last;
}

/** As {@link lastError}, of a file; a missing file holds no error. */
export function lastErrorOf(path: string): string | undefined {
  return lastError(readOrNothing(path));
}

/** What an attached runsc command and its sandbox noted about the container. */
export interface Trace {
  /** Raw wait status of the process inside; absent where runsc itself failed or was killed. */
  readonly waitStatus: number | undefined;
  /** Status in the shell's form, 128 + n for signal n, where no more than that is known. */
  readonly shellStatus: number | undefined;
  /** What the sandbox itself crashed with, so that its status is not that of the process inside. */
  readonly crash: string | undefined;
  /** Host pid of the sandbox process, from the moment that it was started. */
  readonly sandboxPid: number | undefined;
}

const exiting = /Exiting with status: (\d+)\s*$/;
const sandboxStarted = /Sandbox started, PID: (\d+)/;
const crashStatus = 2 << 8;
/** A container that ended before it was waited for: the command reports the sandbox's own status instead. */
const waitedForSandbox = "Will try waiting on the sandbox process instead";

/** Removes what a traced command wrote. */
export function removeLogs(log: string, name: TraceName): void {
  for (const path of [log, ownTrace(name), sandboxTrace(name)]) rmSync(path, { force: true });
}

/** Where a sandbox's notes go instead of into a file: a descriptor of the command that starts it. */
export function divertSandboxTrace(name: TraceName, fd: number): void {
  symlinkSync(`/proc/self/fd/${fd}`, sandboxTrace(name));
}

function ownTrace({ prefix, command }: TraceName): string {
  return `${prefix}.${command}`;
}

function sandboxTrace({ prefix }: TraceName): string {
  return `${prefix}.boot`;
}

/** Reads the trace of a command; a missing file holds nothing. */
export function traceOf(name: TraceName, sandbox?: SandboxLog): Trace {
  const own = readOrNothing(ownTrace(name));
  const status = lastNumber(own, exiting);
  const isIndirect = own.includes(waitedForSandbox);
  const sandboxPid = lastNumber(own, sandboxStarted);
  const trace = { sandboxPid, shellStatus: undefined, crash: undefined };
  const isSandboxKilled = status !== undefined && (status & 0x7f) !== 0;
  if (!isIndirect || isSandboxKilled) return { ...trace, waitStatus: status };
  const waitStatus = lastNumber(sandbox?.tail ?? "", exiting);
  if (waitStatus !== undefined || status === undefined) return { ...trace, waitStatus };
  const crash = status === crashStatus ? crashOf(sandbox) : undefined;
  if (crash !== undefined) return { ...trace, waitStatus, crash };
  return { ...trace, waitStatus, shellStatus: status >> 8 };
}

/** Without its notes, the status of a crash is taken for one: what ends so late that it is missed is rare. */
function crashOf(sandbox: SandboxLog | undefined): string | undefined {
  return sandbox === undefined ? "nothing is noted of why" : sandbox.crash;
}

/** These files are of a few lines, and in memory as a rule: the way by the thread pool takes longer than the read. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function lastNumber(text: string, pattern: RegExp): number | undefined {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Cuts a text at the end of each top-level object; braces inside strings do not count. */
function* jsonObjects(text: string): Generator<string> {
  let depth = 0;
  let start = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (inString) {
      if (char === "\\") i++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = depth > 0;
    else if (char === "{") {
      if (depth++ === 0) start = i;
    } else if (char === "}" && depth > 0 && --depth === 0) yield text.slice(start, i + 1);
  }
}

function parse(text: string): LogEntry | undefined {
  try {
    return JSON.parse(text) as LogEntry;
  } catch {
    return undefined;
  }
}
