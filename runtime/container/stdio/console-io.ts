import { type IPty, spawn } from "node-pty";
import { messageOf, RunletError } from "../../errors.ts";
import { lastErrorOf, removeLogs, traceOf } from "../../runsc/log.ts";
import { type ProcessEnd, runscEnvironment, type RunscProcess } from "../../runsc/process.ts";
import type { TerminalCommand } from "../../runsc/runsc.ts";
import { signalNameOf } from "../exit.ts";
import { SinkSlot } from "./sink-slot.ts";
import type { Io, Output, Sink } from "./stdio.ts";

/** A terminal whose other side is a process in a container. Its output is the one stream `stdout`. */
export class ConsoleIo implements Io {
  readonly stdin = undefined;
  readonly stdout: Output;
  readonly stderr = undefined;
  readonly #pty: IPty;
  #isOver = false;

  constructor(pty: IPty, exited: Promise<ProcessEnd>) {
    this.#pty = pty;
    this.stdout = new ConsoleOutput(pty, exited);
    void this.#watch(exited);
  }

  /** Types `data`; without effect after the end of the process. */
  write(data: string | Buffer): void {
    if (!this.#isOver) this.#pty.write(data);
  }

  /** Changes the size, of which the process inside is told; without effect after its end. */
  resize(cols: number, rows: number): void {
    if (!this.#isOver) this.#pty.resize(cols, rows);
  }

  close(): void {
    this.kill("SIGKILL");
    this.stdout.close();
  }

  /** Signals the runsc process, unless it has ended and its number may be another's. */
  kill(signal: NodeJS.Signals): void {
    if (!this.#isOver) this.#pty.kill(signal);
  }

  async #watch(exited: Promise<ProcessEnd>): Promise<void> {
    await exited;
    this.#isOver = true;
  }
}

/** Starts a runsc command on a new terminal. @throws `unavailable` if there is none to be had. */
export function openConsole(
  command: TerminalCommand,
  size: { cols: number; rows: number },
): { process: RunscProcess; io: ConsoleIo } {
  const pty = spawnPty(command, size);
  const exit = Promise.withResolvers<ProcessEnd>();
  pty.onExit(({ exitCode, signal }) => {
    const killedBy = signal ? signalNameOf(signal) : undefined;
    exit.resolve({ code: killedBy ? undefined : exitCode, signal: killedBy as NodeJS.Signals });
  });
  const io = new ConsoleIo(pty, exit.promise);
  const process: RunscProcess = {
    pid: pty.pid,
    exited: exit.promise,
    stdin: undefined,
    stdout: undefined,
    stderr: undefined,
    extra: new Map(),
    lastError: () => lastErrorOf(command.log),
    trace: () => traceOf(command.trace),
    forget: () => removeLogs(command.log, command.trace),
    kill: (signal) => io.kill(signal),
  };
  return { process, io };
}

class ConsoleOutput implements Output {
  readonly ended: Promise<void>;
  readonly #slot = new SinkSlot();
  readonly #listener: { dispose(): void };
  readonly #closed = Promise.withResolvers<void>();
  #hasEnded = false;
  #isCut = false;

  constructor(pty: IPty, exited: Promise<ProcessEnd>) {
    // Without an encoding the terminal gives bytes, whatever its type says.
    this.#listener = pty.onData((data) => this.#slot.deliver(data as unknown as Buffer));
    this.ended = this.#watch(exited);
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  attach(sink: Sink | undefined): void {
    this.#slot.attach(sink);
  }

  /** A terminal is one conversation from start to end: nothing hangs on where it is cut. */
  drain(): void {}

  close(): void {
    this.#isCut ||= !this.#hasEnded;
    this.#listener.dispose();
    this.#closed.resolve();
  }

  async #watch(exited: Promise<ProcessEnd>): Promise<void> {
    await Promise.race([exited, this.#closed.promise]);
    this.#hasEnded = true;
  }
}

function spawnPty(command: TerminalCommand, size: { cols: number; rows: number }): IPty {
  try {
    const env = runscEnvironment();
    const options = { ...size, env, name: "xterm-256color", encoding: null };
    return spawn(command.file, command.args, options);
  } catch (cause) {
    throw new RunletError("unavailable", `Cannot open a terminal: ${messageOf(cause)}`, { cause });
  }
}
