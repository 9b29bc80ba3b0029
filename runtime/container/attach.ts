import type { Duplex } from "node:stream";
import type { DescriptorSource, RunscProcess } from "../runsc/process.ts";
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
import { openPipeIo } from "./stdio/pipe-io.ts";
import type { PipeStock } from "./stdio/pipe-stock.ts";
import type { Io, StdioRequest } from "./stdio/stdio.ts";

/** A runsc command whose streams are those of a process in a container. */
export interface Attached {
  readonly process: RunscProcess;
  readonly io: Io;
  readonly console: ConsoleIo | undefined;
  /** The host's side of the guest's descriptor 3, where one was asked for. */
  readonly channel: Duplex | undefined;
}

/** A runsc command to be attached, in the two forms that it is started in. */
export interface AttachOptions {
  stdio: StdioRequest;
  pipes: PipeStock;
  hasChannel?: boolean;
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
  const io = await openDescriptors(stdio, options.pipes);
  try {
    const channel: DescriptorSource[] = options.hasChannel === true ? ["pipe"] : [];
    const process = await options.spawn([...io.descriptors, ...channel]);
    io.handOver();
    return { process, io, console: undefined, channel: quiet(process.extra.get(3)) };
  } catch (error) {
    io.close();
    throw error;
  }
}

/** How a process ended whose attached command is `process`: by its wait status, or by what runsc said of itself. */
export async function exitOfAttached(process: RunscProcess): Promise<Exit> {
  const end = await process.exited;
  const { waitStatus, shellStatus } = await process.trace();
  if (waitStatus !== undefined) return exitOfWaitStatus(waitStatus);
  if (shellStatus !== undefined) return exitOfShellStatus(shellStatus);
  const message = await process.lastError();
  if (message !== undefined) return internalExit("failed", message);
  if (end.signal !== undefined) return killedExit("signaled", `runsc was ended by ${end.signal}`);
  return internalExit("failed", `runsc ended with status ${end.code} and gave no reason`);
}

async function openDescriptors(
  stdio: Exclude<StdioRequest, { kind: "console" }>,
  pipes: PipeStock,
): Promise<DescriptorIo> {
  return stdio.kind === "null" ? nullIo() : await openPipeIo(stdio, pipes);
}

/** A broken channel must not end the whole process before somebody listens to it. */
function quiet(channel: Duplex | undefined): Duplex | undefined {
  return channel?.on("error", () => undefined);
}
