import type { Duplex } from "node:stream";
import type { DescriptorSource, RunscProcess } from "../runsc/process.ts";
import type { SandboxLog } from "../runsc/sandbox-log.ts";
import type { TerminalCommand } from "../runsc/runsc.ts";
import {
  exitOfShellStatus,
  exitOfWaitStatus,
  type Exit,
  internalExit,
  killedExit,
} from "./exit.ts";
import { type ConsoleIo, openConsole } from "./stdio/console-io.ts";
import { type DescriptorIo, nullIo } from "./stdio/null-io.ts";
import { openChannelIo } from "./stdio/channel-io.ts";
import { openPipeIo } from "./stdio/pipe-io.ts";
import type { PipeStock } from "./stdio/pipe-stock.ts";
import type { Io, StdioRequest } from "./stdio/stdio.ts";

/** A runsc command whose streams are those of a process in a container. */
export interface Attached {
  readonly process: RunscProcess;
  readonly io: Io;
  readonly console: ConsoleIo | undefined;
  /** The host's side of the guest's channel, where one was asked for. */
  readonly channel: Duplex | undefined;
}

/** A runsc command to be attached, in the two forms that it is started in. */
export interface AttachOptions {
  stdio: StdioRequest;
  pipes: PipeStock;
  hasChannel?: boolean;
  /** Takes the sandbox's notes, where the command starts one; the pipe for them is the last descriptor. */
  sandboxLog?: SandboxLog;
  spawn: (descriptors: readonly DescriptorSource[]) => Promise<RunscProcess>;
  /** The same command for a terminal. */
  command: () => TerminalCommand;
}

/** Starts a runsc command with the streams that were asked for; on failure nothing is left open. */
export async function attach(options: AttachOptions): Promise<Attached> {
  const { stdio } = options;
  if (stdio.kind === "console") {
    const { process, io } = openConsole(options.command(), { cols: stdio.cols, rows: stdio.rows });
    return { process, io, console: io, channel: undefined };
  }
  using stack = new DisposableStack();
  const io = await openDescriptors(stdio, options.pipes);
  stack.adopt(io, close);
  const notes = await openNotes(options);
  stack.adopt(notes, close);
  const channel: DescriptorSource[] = options.hasChannel === true ? ["pipe"] : [];
  const process = await options.spawn([...io.descriptors, ...channel, ...notes.descriptors]);
  io.handOver();
  notes.handOver();
  stack.move();
  return {
    process: withNotes(process, notes),
    io,
    console: undefined,
    channel: quiet(io.channel ?? process.extra.get(3)),
  };
}

function close(io: Io): void {
  io.close();
}

/** The pipe that a sandbox writes its notes to, as the one descriptor; none where nobody takes them. */
async function openNotes({ sandboxLog, pipes }: AttachOptions): Promise<DescriptorIo> {
  if (sandboxLog === undefined) return { ...nullIo(), descriptors: [] };
  const io = await openPipeIo({ kind: "pipe", stdout: true }, pipes);
  io.stdout?.attach((chunk) => sandboxLog.write(chunk));
  return {
    stdin: undefined,
    stdout: io.stdout,
    stderr: undefined,
    descriptors: io.descriptors.slice(1, 2),
    handOver: () => io.handOver(),
    close: () => io.close(),
  };
}

/** The process with a trace that knows the sandbox's notes to their end. */
function withNotes(process: RunscProcess, notes: Io): RunscProcess {
  return {
    ...process,
    trace: () => {
      notes.stdout?.drain();
      return process.trace();
    },
    forget: () => {
      notes.close();
      process.forget();
    },
  };
}

/** How a process ended whose attached command is `process`: by its wait status, or by what runsc said of itself. */
export async function exitOfAttached(process: RunscProcess): Promise<Exit> {
  const end = await process.exited;
  const { waitStatus, shellStatus, crash } = process.trace();
  if (waitStatus !== undefined) return exitOfWaitStatus(waitStatus);
  if (crash !== undefined) return internalExit("failed", `the sandbox crashed: ${crash}`);
  if (shellStatus !== undefined) return exitOfShellStatus(shellStatus);
  const message = process.lastError();
  if (message !== undefined) return internalExit("failed", message);
  if (end.signal !== undefined) return killedExit("signaled", `runsc was ended by ${end.signal}`);
  return internalExit("failed", `runsc ended with status ${end.code} and gave no reason`);
}

async function openDescriptors(
  stdio: Exclude<StdioRequest, { kind: "console" }>,
  pipes: PipeStock,
): Promise<DescriptorIo> {
  if (stdio.kind === "null") return nullIo();
  return stdio.kind === "channel"
    ? await openChannelIo(stdio, pipes)
    : await openPipeIo(stdio, pipes);
}

/** A broken channel must not end the whole process before somebody listens to it. */
function quiet(channel: Duplex | undefined): Duplex | undefined {
  return channel?.on("error", () => undefined);
}
