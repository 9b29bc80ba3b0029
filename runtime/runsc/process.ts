import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { devNull } from "node:os";
import type { Duplex, Readable, Writable } from "node:stream";
import { RunletError } from "../errors.ts";
import type { Command } from "./options.ts";
import type { SandboxLog } from "./sandbox-log.ts";
import { lastErrorOf, removeLogs, type Trace, type TraceName, traceOf } from "./log.ts";

/** What one descriptor of a runsc process is: nothing, a stream to us, or a descriptor of ours. */
export type DescriptorSource = "ignore" | "pipe" | number;

/** How a runsc process itself ended. */
export interface ProcessEnd {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

/**
 * A runsc command that has been started and whose descriptors may be a container's own. `exited` and the
 * end of the streams are two moments: a detached container keeps them open after its `create` has exited.
 */
export interface RunscProcess {
  readonly pid: number;
  readonly exited: Promise<ProcessEnd>;
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** The streams of descriptors 3 and up, by number. */
  readonly extra: ReadonlyMap<number, Duplex>;
  /** What this command wrote as its last error, and nothing that an earlier one wrote. */
  lastError(): string | undefined;
  /** What an attached command noted: the true wait status, the sandbox's pid. */
  trace(): Trace;
  /** Removes the command's logs; call once, after the last use of the two above. */
  forget(): void;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts runsc in a session of its own, so that a Ctrl-C on our terminal reaches us and not the container.
 * @throws `unavailable` if the binary cannot be started.
 */
export async function spawnRunsc(
  { file, args }: Command,
  logs: { log: string; trace: TraceName; sandboxLog?: SandboxLog | undefined },
  stdio: readonly DescriptorSource[],
): Promise<RunscProcess> {
  const env = runscEnvironment();
  const child = spawn(file, args, { stdio: withRoom(stdio), detached: true, env });
  const failed = once(child, "error").then(([error]) => (error as Error).message);
  failed.catch(() => undefined);
  const exited = once(child, "exit").then(([code, signal]): ProcessEnd => {
    return { code: (code as number) ?? undefined, signal: (signal as NodeJS.Signals) ?? undefined };
  });
  exited.catch(() => undefined);
  if (child.pid === undefined) throw cannotStart(file, await failed);
  const extra = new Map<number, Duplex>();
  for (const [fd, stream] of child.stdio.entries()) {
    if (fd > 2 && stream) extra.set(fd, stream as Duplex);
  }
  return {
    pid: child.pid,
    exited,
    stdin: child.stdin ?? undefined,
    stdout: child.stdout ?? undefined,
    stderr: child.stderr ?? undefined,
    extra,
    lastError: () => lastErrorOf(logs.log),
    trace: () => traceOf(logs.trace, logs.sandboxLog),
    forget: () => removeLogs(logs.log, logs.trace),
    kill: (signal) => void child.kill(signal),
  };
}

/**
 * What a runsc command has for an environment: the way to programs, and nothing else of the server's. What runsc
 * starts for a container keeps it, the process among them that serves files to the sandbox.
 */
export function runscEnvironment(): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" };
}

/**
 * A descriptor past 256 makes the table of descriptors large from the start. The sandbox moves its own to 256
 * and on, and a table that grows while threads run waits for a grace period of the kernel: 5 to 14 ms a start.
 * runsc closes it to all that it starts.
 */
function withRoom(stdio: readonly DescriptorSource[]): DescriptorSource[] {
  const filler = Array.from<DescriptorSource>({ length: roomyDescriptor - stdio.length });
  nothing ??= openSync(devNull, "r");
  return [...stdio, ...filler.fill("ignore"), nothing];
}

/** The number of that descriptor. */
export const roomyDescriptor = 300;
let nothing: number | undefined;

/** The error for a binary that could not be started at all. */
export function cannotStart(binary: string, cause: string | undefined): RunletError {
  return new RunletError(
    "unavailable",
    `Cannot start ${binary}: ${cause ?? "unknown cause"}. Run \`runlet doctor\` to see what is missing`,
  );
}
