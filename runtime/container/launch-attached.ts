import type { Duplex } from "node:stream";
import { within } from "../deadline.ts";
import { type Enter, runArgs, type RunOptions } from "../runsc/options.ts";
import { SandboxLog } from "../runsc/sandbox-log.ts";
import type { DescriptorSource, RunscProcess } from "../runsc/process.ts";
import { type Attached, attach, exitOfAttached } from "./attach.ts";
import type { Deadlines } from "./deadlines.ts";
import { type Exit, type SignalName, signalNumber } from "./exit.ts";
import { forceDelete } from "./force-delete.ts";
import type { InitOptions } from "./init-options.ts";
import type { Launch } from "./launch.ts";
import { networkOf } from "./network-of.ts";
import { parentOf, signalProcess } from "./proc.ts";
import { retrySignal } from "./retry-signal.ts";
import type { Status } from "./state.ts";
import type { ConsoleIo } from "./stdio/console-io.ts";
import type { Io } from "./stdio/stdio.ts";

/**
 * A container as the child of an attached `runsc run`. That process waits for the container, reaps it, exits
 * with its status and removes what runsc keeps of it, also where the container ends in its first moment.
 */
export class AttachedLaunch implements Launch {
  protected readonly options: InitOptions;
  protected readonly deadlines: Deadlines;
  #attached: Attached | undefined;
  #ended: Promise<Exit> | undefined;
  #hasExited = false;

  constructor(options: InitOptions, deadlines: Deadlines) {
    this.options = options;
    this.deadlines = deadlines;
  }

  get pid(): number | undefined {
    return this.#attached?.process.pid;
  }

  get io(): Io | undefined {
    return this.#attached?.io;
  }

  get console(): ConsoleIo | undefined {
    return this.#attached?.console;
  }

  get channel(): Duplex | undefined {
    return this.#attached?.channel;
  }

  /** Nothing to do: `runsc run` creates and starts in one. */
  async create(): Promise<void> {}

  async start(bundle: string): Promise<void> {
    const { id, runsc, stdio, pipes, channel, cgroup, hostUds } = this.options;
    const own = { hostUds, network: networkOf(this.options.spec) };
    const enter: Enter = (command) => cgroup?.enter(command) ?? command;
    const passFds = channel === true ? [{ host: 3, guest: 3 }] : [];
    // What has a channel outlives its first moment, in which alone runsc misses an end; notes cost 5 % of a start.
    const isLasting = channel === true || stdio.kind === "channel";
    const notes = isLasting ? {} : { sandboxLog: new SandboxLog() };
    const run: RunOptions = { bundle, enter, passFds, ...notes, ...own };
    this.#attached = await attach({
      stdio,
      pipes,
      hasChannel: channel === true,
      ...notes,
      spawn: async (descriptors) => await this.spawn(run, descriptors),
      command: () => {
        const command = runsc.terminalCommand(runArgs(id, run), own);
        return { ...command, ...enter(command) };
      },
    });
    this.#ended = this.#watch(this.#attached.process);
  }

  async ended(): Promise<Exit> {
    if (this.#ended === undefined) throw new Error("ended() before start()");
    return await this.#ended;
  }

  /** Known without asking: runsc itself may not have heard yet of a container that is coming up. */
  async status(): Promise<Status> {
    if (this.#attached === undefined) return "created";
    return this.#hasExited ? "stopped" : "running";
  }

  async sandboxPid(): Promise<number | undefined> {
    if (this.#attached === undefined || this.#hasExited) return undefined;
    const { process } = this.#attached;
    const { sandboxPid } = process.trace();
    // A number alone may belong to a stranger by now; a child of our own unreaped child cannot.
    if (sandboxPid === undefined || parentOf(sandboxPid) !== process.pid) return undefined;
    return sandboxPid;
  }

  async kill(
    signalName: SignalName,
    options: { all?: boolean },
    signal?: AbortSignal,
  ): Promise<void> {
    if (signalName === "SIGKILL") {
      await this.destroy();
      return;
    }
    const { id, runsc } = this.options;
    await retrySignal({
      what: `send ${signalName} to container ${id}`,
      timeoutMs: this.deadlines.signalMs,
      signal,
      attempt: async (attemptSignal) => {
        await runsc.kill(id, signalNumber(signalName), options, { signal: attemptSignal });
      },
    });
  }

  async destroy(): Promise<void> {
    if (this.#attached === undefined || this.#hasExited) return;
    const { process } = this.#attached;
    const { exitMs } = this.deadlines;
    const sandbox = await this.sandboxPid();
    // Dying by its sandbox, `runsc run` still cleans up after itself. Killed itself, it takes the sandbox along.
    if (sandbox !== undefined && signalProcess(sandbox, "SIGKILL")) {
      await within(process.exited, "see the sandbox end", exitMs).catch(() => undefined);
    }
    if (!this.#hasExited) process.kill("SIGKILL");
    await within(process.exited, "see runsc end", exitMs).catch(() => undefined);
  }

  async killLeftovers(): Promise<void> {
    await this.destroy();
  }

  async remove(): Promise<void> {
    if (this.#attached === undefined) return;
    const { id, runsc } = this.options;
    const { process } = this.#attached;
    const { waitStatus } = process.trace();
    if (waitStatus === undefined) await forceDelete(runsc, id, this.deadlines.deleteMs);
    process.forget();
  }

  protected get process(): RunscProcess | undefined {
    return this.#attached?.process;
  }

  protected get hasExited(): boolean {
    return this.#hasExited;
  }

  /** Starts the command that the container is a child of. */
  protected async spawn(
    run: RunOptions,
    descriptors: readonly DescriptorSource[],
  ): Promise<RunscProcess> {
    return await this.options.runsc.run(this.options.id, run, descriptors);
  }

  async #watch(process: RunscProcess): Promise<Exit> {
    await process.exited;
    this.#hasExited = true;
    return await exitOfAttached(process);
  }
}
