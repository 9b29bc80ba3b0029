import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { within } from "../deadline.ts";
import { messageOf, RunletError } from "../errors.ts";
import { isUnknownContainer, RunscError } from "../runsc/error.ts";
import { createArgs, type Enter } from "../runsc/options.ts";
import { type DescriptorSource, type RunscProcess, spawnRunsc } from "../runsc/process.ts";
import type { TerminalCommand } from "../runsc/runsc.ts";
import { attach } from "./attach.ts";
import type { Deadlines } from "./deadlines.ts";
import {
  type Exit,
  exitOfShellStatus,
  internalExit,
  type SignalName,
  signalNumber,
} from "./exit.ts";
import { forceDelete } from "./force-delete.ts";
import type { InitOptions } from "./init-options.ts";
import type { Launch } from "./launch.ts";
import { networkOf } from "./network-of.ts";
import { isProcessOf, processesOf, signalProcess } from "./proc.ts";
import { retrySignal } from "./retry-signal.ts";
import type { Status } from "./state.ts";
import type { Io } from "./stdio/stdio.ts";

/**
 * A container by create, start and wait, for one that outlives its commands or shares the sandbox of another.
 * The status of a container that ends in its first moment is not to be had this way: such an exit is `lost`.
 */
export class DetachedLaunch implements Launch {
  readonly console = undefined;
  readonly channel = undefined;
  readonly #options: InitOptions;
  readonly #deadlines: Deadlines;
  readonly #waiting = new AbortController();
  #isKnownToRunsc = false;
  #pid: number | undefined;
  #io: Io | undefined;
  #ended: Promise<Exit> | undefined;

  constructor(options: InitOptions, deadlines: Deadlines) {
    this.#options = options;
    this.#deadlines = deadlines;
  }

  /** The sandbox process; of a subcontainer that of the sandbox it shares. */
  get pid(): number | undefined {
    return this.#pid;
  }

  get io(): Io | undefined {
    return this.#io;
  }

  async create(bundle: string, signal?: AbortSignal): Promise<void> {
    const { id, runsc, stdio, pipes, subcontainer, cgroup, spec } = this.#options;
    const pidFile = join(bundle, "init.pid");
    const enter: Enter = (command) => cgroup?.enter(command) ?? command;
    const options = { bundle, pidFile, enter, network: networkOf(spec) };
    // A root container gets the streams of its create, a subcontainer those of its start.
    const attached = await attach({
      stdio: subcontainer === true ? { kind: "null" } : stdio,
      pipes,
      spawn: async (descriptors) => await runsc.create(id, options, descriptors),
      command: () => runsc.terminalCommand(createArgs(id, options)),
    });
    this.#isKnownToRunsc = true;
    this.#io = attached.io;
    await this.#finish("create", attached.process, this.#deadlines.createMs, signal);
    this.#pid = await readPidFile(pidFile);
  }

  async start(_bundle: string, signal?: AbortSignal): Promise<void> {
    const { id, runsc, subcontainer, spec } = this.#options;
    const call = { timeoutMs: this.#deadlines.startMs, signal, network: networkOf(spec) };
    if (subcontainer === true) await this.#startAttached(signal);
    else await runsc.start(id, call);
    this.#ended = this.#wait();
  }

  async ended(): Promise<Exit> {
    if (this.#ended === undefined) throw new Error("ended() before start()");
    return await this.#ended;
  }

  async status(signal?: AbortSignal): Promise<Status> {
    const { id, runsc } = this.#options;
    if (!this.#isKnownToRunsc) return "created";
    try {
      const state = await runsc.state(id, { timeoutMs: this.#deadlines.statusMs, signal });
      return statusOf(state.status);
    } catch (error) {
      if (isUnknownContainer(error)) return "stopped";
      throw error;
    }
  }

  async sandboxPid(): Promise<number | undefined> {
    const { id, runsc } = this.#options;
    if (this.#pid === undefined) return undefined;
    // The sandbox of a subcontainer bears the id of another, and is not this one's to touch.
    return isProcessOf(this.#pid, runsc.root, id) ? this.#pid : undefined;
  }

  async kill(
    signalName: SignalName,
    options: { all?: boolean },
    signal?: AbortSignal,
  ): Promise<void> {
    const { id, runsc } = this.#options;
    try {
      await retrySignal({
        what: `send ${signalName} to container ${id}`,
        timeoutMs: this.#deadlines.signalMs,
        signal,
        attempt: async (attemptSignal) => {
          if ((await this.status(attemptSignal)) === "stopped") throw noSuchProcess(id);
          await runsc.kill(id, signalNumber(signalName), options, { signal: attemptSignal });
        },
      });
    } catch (error) {
      if (signalName !== "SIGKILL" || !(await this.#killSandbox())) throw error;
    }
  }

  async destroy(): Promise<void> {
    if (!(await this.#killSandbox())) await this.killLeftovers();
    if (this.#ended !== undefined) {
      await within(this.#ended, "see the container end", this.#deadlines.exitMs).catch(
        () => undefined,
      );
    }
  }

  async killLeftovers(): Promise<void> {
    if (!this.#isKnownToRunsc) return;
    const { id, runsc, log } = this.#options;
    try {
      const number = signalNumber("SIGKILL");
      await runsc.kill(id, number, { all: true }, { timeoutMs: this.#deadlines.signalMs });
    } catch (error) {
      log?.warn({ container: id, reason: messageOf(error) }, "kill of all was refused");
      await this.#killSandbox();
    }
  }

  async remove(): Promise<void> {
    if (!this.#isKnownToRunsc) return;
    const { id, runsc } = this.#options;
    this.#waiting.abort();
    try {
      await runsc.delete(id, {}, { timeoutMs: this.#deadlines.deleteMs });
    } catch (error) {
      if (!isUnknownContainer(error)) {
        if (this.#ended !== undefined) throw error;
        // It never ran, so nothing of it is worth keeping, whatever half of it was made.
        for (const pid of processesOf(runsc.root, id)) signalProcess(pid, "SIGKILL");
        await forceDelete(runsc, id, this.#deadlines.deleteMs);
      }
    }
    this.#isKnownToRunsc = false;
  }

  async #startAttached(signal?: AbortSignal): Promise<void> {
    const { id, runsc, stdio, pipes } = this.#options;
    const command = (): TerminalCommand => runsc.terminalCommand(["start", id]);
    const spawn = async (descriptors: readonly DescriptorSource[]): Promise<RunscProcess> => {
      const { log, trace, ...start } = command();
      return await spawnRunsc(start, { log, trace }, descriptors);
    };
    const attached = await attach({ stdio, pipes, spawn, command });
    try {
      await this.#finish("start", attached.process, this.#deadlines.startMs, signal);
      this.#io = attached.io;
    } catch (error) {
      attached.io.close();
      throw error;
    }
  }

  /** Waits for a command that the container's streams outlive. @throws RunscError with its last log message. */
  async #finish(
    command: string,
    process: RunscProcess,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    try {
      const what = `${command} container ${this.#options.id}`;
      const end = await within(process.exited, what, timeoutMs, signal);
      if (end.code === 0) return;
      const reason = process.lastError() ?? "no reason given";
      throw new RunscError(command, reason, end.code);
    } catch (error) {
      process.kill("SIGKILL");
      throw error;
    } finally {
      process.forget();
    }
  }

  async #wait(): Promise<Exit> {
    const { id, runsc } = this.#options;
    try {
      return exitOfShellStatus(await runsc.wait(id, { signal: this.#waiting.signal }));
    } catch (error) {
      // Nobody would hear of its end any more, so it must not go on.
      if (!this.#waiting.signal.aborted) await this.killLeftovers();
      return internalExit("lost", messageOf(error));
    }
  }

  async #killSandbox(): Promise<boolean> {
    const sandbox = await this.sandboxPid();
    return sandbox !== undefined && signalProcess(sandbox, "SIGKILL");
  }
}

async function readPidFile(path: string): Promise<number> {
  const pid = Number(await readFile(path, "utf8").catch(() => ""));
  if (Number.isSafeInteger(pid) && pid > 1) return pid;
  throw new RunscError("create", `${path} holds no process id`, 0);
}

function statusOf(text: string): Status {
  switch (text) {
    case "running":
    case "paused":
    case "stopped":
      return text;
    default:
      return "created";
  }
}

function noSuchProcess(id: string): RunletError {
  return new RunletError("not_found", `Cannot signal container ${id}: no such process`);
}
