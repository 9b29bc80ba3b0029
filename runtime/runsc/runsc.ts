import { execa } from "execa";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { messageOf } from "../errors.ts";
import {
  type ContainerState,
  type ContainerStats,
  listAnswer,
  psAnswer,
  stateAnswer,
  statsAnswer,
  waitAnswer,
} from "./answers.ts";
import { RunscError } from "./error.ts";
import { divertSandboxTrace, lastErrorOf, type TraceName } from "./log.ts";
import * as argv from "./options.ts";
import { withOwnStack } from "./own-stack.ts";
import {
  cannotStart,
  type DescriptorSource,
  type RunscProcess,
  runscEnvironment,
  spawnRunsc,
} from "./process.ts";

export interface RunscConfig {
  /** Path or name of the binary; `runsc` on PATH by default. */
  binary?: string;
  /** Directory for runsc's state and logs, of this Runlet alone. Keep it short: sockets live in it. */
  root: string;
  flags?: Omit<argv.GlobalOptions, "root" | "log" | "trace">;
  /** Bound on every command that is not a container's own life. */
  timeoutMs?: number;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/** A command line to be run under a terminal, and where its last error and its trace will stand. */
export interface TerminalCommand extends argv.Command {
  log: string;
  trace: TraceName;
}

/**
 * The runsc binary as a typed client: one method a subcommand. Every failure is a {@link RunscError} with
 * runsc's own last log message, every call has a deadline.
 */
export class Runsc {
  readonly root: string;
  readonly #binary: string;
  readonly #logs: string;
  readonly #flags: Omit<argv.GlobalOptions, "root" | "log" | "trace">;
  readonly #timeoutMs: number;
  #calls = 0;

  constructor(config: RunscConfig) {
    this.#binary = config.binary ?? "runsc";
    this.root = join(config.root, "containers");
    this.#logs = join(config.root, "logs");
    this.#flags = { network: "none", overlay2: "none", ignoreCgroups: true, ...config.flags };
    this.#timeoutMs = config.timeoutMs ?? 30_000;
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    mkdirSync(this.#logs, { recursive: true, mode: 0o700 });
  }

  /** Where all that commands leave is: runsc's own state, and what they log. */
  get directories(): readonly string[] {
    return [this.root, this.#logs];
  }

  /**
   * Starts `runsc create` with the container's own stdio; the container is created once the process has
   * exited with 0, and its streams end when the container does.
   */
  async create(
    id: string,
    options: argv.CreateOptions,
    stdio: readonly DescriptorSource[],
  ): Promise<RunscProcess> {
    return await this.#spawn(argv.createArgs(id, options), stdio, options);
  }

  /** Starts `runsc run`, attached: the process lives as long as the container and exits with its code. */
  async run(
    id: string,
    options: argv.RunOptions,
    stdio: readonly DescriptorSource[],
  ): Promise<RunscProcess> {
    return await this.#spawn(argv.runArgs(id, options), stdio, options);
  }

  /** Starts `runsc exec`, attached: the process exits with the code of the process inside. */
  async exec(
    id: string,
    options: argv.ExecOptions,
    stdio: readonly DescriptorSource[],
  ): Promise<RunscProcess> {
    return await this.#spawn(argv.execArgs(id, options), stdio);
  }

  /** The command line of an attached run or exec, for a caller that brings its own terminal. */
  terminalCommand(args: readonly string[], own?: argv.OwnFlags): TerminalCommand {
    const log = this.#nextLog();
    const trace = { prefix: log, command: args[0] ?? "", hasSandbox: false };
    return { ...this.#command(args, log, trace, own), log, trace };
  }

  /** Starts a created container, whose own flags are the same as at its creation. */
  async start(id: string, { network, ...call }: CallOptions & argv.OwnFlags = {}): Promise<void> {
    await this.#call(["start", id], call, { network });
  }

  /** Waits until a container has ended; answers its exit status, 128 + n for signal n. */
  async wait(id: string, call?: CallOptions): Promise<number> {
    const answer = await this.#call(["wait", id], { timeoutMs: 0, ...call });
    return this.#parse("wait", waitAnswer, answer).exitStatus;
  }

  /** Sends a signal to a container's first process, to one process inside, or to all. */
  async kill(
    id: string,
    signal: number,
    options: argv.KillOptions = {},
    call?: CallOptions,
  ): Promise<void> {
    await this.#call(argv.killArgs(id, signal, options), call);
  }

  /** Removes a stopped container; with `force` any, and one that does not exist too. */
  async delete(id: string, options: { force?: boolean } = {}, call?: CallOptions): Promise<void> {
    await this.#call(argv.deleteArgs(id, options), call);
  }

  /** Asks for the state of one container. */
  async state(id: string, call?: CallOptions): Promise<ContainerState> {
    return this.#parse("state", stateAnswer, await this.#call(["state", id], call));
  }

  /** Lists all containers under this root. */
  async list(call?: CallOptions): Promise<ContainerState[]> {
    const answer = await this.#call(["list", "--format=json"], call);
    return this.#parse("list", listAnswer, answer) ?? [];
  }

  /** Lists the process ids inside a container. */
  async ps(id: string, call?: CallOptions): Promise<number[]> {
    return this.#parse("ps", psAnswer, await this.#call(["ps", "--format=json", id], call)) ?? [];
  }

  /** Asks for the usage of one container now. */
  async stats(id: string, call?: CallOptions): Promise<ContainerStats> {
    const answer = await this.#call(["events", "--stats", id], call);
    const { data } = this.#parse("events", statsAnswer, answer);
    return {
      cpuNs: data.cpu.usage.total ?? 0,
      memoryBytes: data.memory.usage?.usage ?? 0,
      pids: data.pids.current ?? 0,
    };
  }

  async pause(id: string, call?: CallOptions): Promise<void> {
    await this.#call(["pause", id], call);
  }

  async resume(id: string, call?: CallOptions): Promise<void> {
    await this.#call(["resume", id], call);
  }

  /** Writes a container's state to `imagePath`. */
  async checkpoint(id: string, options: argv.CheckpointOptions, call?: CallOptions): Promise<void> {
    await this.#call(argv.checkpointArgs(id, options), call);
  }

  /** Starts `runsc restore`, attached like {@link run} unless `detach` is asked for. */
  async restore(
    id: string,
    options: argv.RestoreOptions,
    stdio: readonly DescriptorSource[],
  ): Promise<RunscProcess> {
    return await this.#spawn(argv.restoreArgs(id, options), stdio, options);
  }

  /** What `runsc --version` prints. */
  async version(call?: CallOptions): Promise<string> {
    return await this.#call(["--version"], call);
  }

  async #spawn(
    args: readonly string[],
    stdio: readonly DescriptorSource[],
    { enter, sandboxLog, hostUds, network }: Omit<argv.RunOptions, "bundle"> = {},
  ): Promise<RunscProcess> {
    const log = this.#nextLog();
    const hasSandbox = sandboxLog !== undefined;
    const trace = { prefix: log, command: args[0] ?? "", hasSandbox };
    if (hasSandbox) divertSandboxTrace(trace, stdio.length - 1);
    const plain = this.#command(args, log, trace, { hostUds, network });
    return await spawnRunsc(enter?.(plain) ?? plain, { log, trace, sandboxLog }, stdio);
  }

  async #call(
    args: readonly string[],
    call: CallOptions = {},
    own?: argv.OwnFlags,
  ): Promise<string> {
    const log = this.#nextLog();
    const command = this.#command(args, log, undefined, own);
    const timeoutMs = call.timeoutMs ?? this.#timeoutMs;
    const result = await execa(command.file, command.args, {
      reject: false,
      stdin: "ignore",
      env: runscEnvironment(),
      extendEnv: false,
      maxBuffer: 16_000_000,
      forceKillAfterDelay: false,
      killSignal: "SIGKILL",
      ...(timeoutMs > 0 ? { timeout: timeoutMs } : {}),
      ...(call.signal ? { cancelSignal: call.signal } : {}),
    });
    try {
      if (!result.failed) return result.stdout;
      if (result.isCanceled) call.signal?.throwIfAborted();
      if (result.code === "ENOENT" || result.code === "EACCES") {
        throw cannotStart(this.#binary, result.originalMessage);
      }
      const reason = reasonOf(result, lastErrorOf(log), timeoutMs);
      throw new RunscError(args[0] ?? "", reason, result.exitCode, { cause: result.cause });
    } finally {
      rmSync(log, { force: true });
    }
  }

  #parse<T>(command: string, schema: z.ZodType<T>, answer: string): T {
    try {
      return schema.parse(JSON.parse(answer));
    } catch (cause) {
      throw new RunscError(command, `unexpected answer: ${messageOf(cause)}`, 0, { cause });
    }
  }

  #command(
    args: readonly string[],
    log: string,
    trace: TraceName | undefined,
    { hostUds, network }: argv.OwnFlags = {},
  ): argv.Command {
    const own = { ...(hostUds && { hostUds }), ...(network && { network }) };
    const globals = { ...this.#flags, ...own, root: this.root, log, ...(trace && { trace }) };
    const command = { file: this.#binary, args: [...argv.globalArgs(globals), ...args] };
    return network === "sandbox" ? withOwnStack(command) : command;
  }

  #nextLog(): string {
    return join(this.#logs, `${process.pid}-${++this.#calls}.json`);
  }
}

/** Without the command line, which names places of the host. */
function reasonOf(
  { timedOut, signal, stderr, exitCode, originalMessage }: CallEnd,
  logged: string | undefined,
  timeoutMs: number,
): string {
  if (timedOut) return `no answer within ${timeoutMs} ms`;
  const said = logged ?? stderr.trim();
  if (said !== "") return said;
  if (signal !== undefined) return `it was ended by ${signal}`;
  return originalMessage ?? `it ended with status ${exitCode ?? "unknown"} and gave no reason`;
}

/** How a call that failed has ended. */
interface CallEnd {
  readonly timedOut: boolean;
  readonly signal?: string | undefined;
  readonly stderr: string;
  readonly exitCode?: number | undefined;
  readonly originalMessage?: string | undefined;
}
