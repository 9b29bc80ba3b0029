import { execa, type Options } from "execa";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
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
  const options = { stdio, buffer: false, reject: false, cleanup: false, detached: true };
  const subprocess = execa(file, args, options as Options);
  const child: ChildProcess = subprocess.nodeChildProcess;
  const exited = once(child, "exit").then(([code, signal]): ProcessEnd => {
    return { code: (code as number) ?? undefined, signal: (signal as NodeJS.Signals) ?? undefined };
  });
  exited.catch(() => undefined);
  if (subprocess.pid === undefined) {
    throw cannotStart(file, (await subprocess).originalMessage);
  }
  const extra = new Map<number, Duplex>();
  for (const [fd, stream] of child.stdio.entries()) {
    if (fd > 2 && stream) extra.set(fd, stream as Duplex);
  }
  return {
    pid: subprocess.pid,
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

/** The error for a binary that could not be started at all. */
export function cannotStart(binary: string, cause: string | undefined): RunletError {
  return new RunletError(
    "unavailable",
    `Cannot start ${binary}: ${cause ?? "unknown cause"}. Run \`runlet doctor\` to see what is missing`,
  );
}
