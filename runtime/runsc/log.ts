import { symlinkSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
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
export async function lastErrorOf(path: string): Promise<string | undefined> {
  try {
    return lastError(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
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
export async function removeLogs(log: string, name: TraceName): Promise<void> {
  for (const path of [log, ownTrace(name), sandboxTrace(name)]) await rm(path, { force: true });
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
export async function traceOf(name: TraceName, sandbox?: SandboxLog): Promise<Trace> {
  const own = await readFile(ownTrace(name), "utf8").catch(() => "");
  const status = lastNumber(own, exiting);
  const isIndirect = own.includes(waitedForSandbox);
  const sandboxPid = lastNumber(own, sandboxStarted);
  const trace = { sandboxPid, shellStatus: undefined, crash: undefined };
  const isSandboxKilled = status !== undefined && (status & 0x7f) !== 0;
  if (!isIndirect || isSandboxKilled) return { ...trace, waitStatus: status };
  const waitStatus = lastNumber(sandbox?.tail ?? "", exiting);
  if (waitStatus !== undefined || status === undefined) return { ...trace, waitStatus };
  const crash = status === crashStatus ? sandbox?.crash : undefined;
  if (crash !== undefined) return { ...trace, waitStatus, crash };
  return { ...trace, waitStatus, shellStatus: status >> 8 };
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
