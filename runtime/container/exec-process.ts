import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { poll, within } from "../deadline.ts";
import { messageOf, RunletError } from "../errors.ts";
import type { ProcessSpec } from "../oci/spec.ts";
import { RunscError } from "../runsc/error.ts";
import { execArgs } from "../runsc/options.ts";
import type { RunscProcess } from "../runsc/process.ts";
import type { Runsc } from "../runsc/runsc.ts";
import { attach, type Attached, exitOfAttached } from "./attach.ts";
import { ContainerProcess } from "./container-process.ts";
import type { Deadlines } from "./deadlines.ts";
import { internalExit, killedExit, type SignalName, signalNumber } from "./exit.ts";
import type { TerminateReason } from "./exit-record.ts";
import type { ContainerId } from "./id.ts";
import type { State } from "./state.ts";
import type { ConsoleIo } from "./stdio/console-io.ts";
import type { PipeStock } from "./stdio/pipe-stock.ts";
import type { Io, StdioRequest } from "./stdio/stdio.ts";

/** What a further process is to be; what is left out is as of the container's first one. */
export interface ExecOptions {
  process: Partial<ProcessSpec>;
  stdio: StdioRequest;
}

/** What the container adds to it. */
export interface ExecContext extends ExecOptions {
  runsc: Runsc;
  pipes: PipeStock;
  container: ContainerId;
  /** Its own within the container. */
  name: string;
  /** Where its files stand while it lives. */
  directory: string;
  /** The process of the container that this one is like. */
  spec: ProcessSpec;
  deadlines: Deadlines;
  requireRunning: () => void;
  onDeleted: () => void;
}

/** A further process in a running container: an attached `runsc exec`, whose process is the wait. */
export class ExecProcess extends ContainerProcess {
  readonly #context: ExecContext;
  readonly #specFile: string;
  readonly #pidFile: string;
  #attached: Attached | undefined;
  #internalPid: number | undefined;
  #watched = Promise.resolve();
  #hasBegun = false;

  constructor(context: ExecContext) {
    const { name, container, deadlines } = context;
    super(`process ${name} of container ${container}`, deadlines);
    this.#context = context;
    this.#specFile = join(context.directory, `${name}.json`);
    this.#pidFile = join(context.directory, `${name}.pid`);
  }

  get state(): State {
    return this.life.state;
  }

  /** Whether it holds streams of the host inside, or is about to. */
  get isLive(): boolean {
    return this.#hasBegun && this.exit === undefined;
  }

  /** The process id inside the container, from the start on. */
  get internalPid(): number | undefined {
    return this.#internalPid;
  }

  get console(): ConsoleIo | undefined {
    return this.#attached?.console;
  }

  protected get io(): Io | undefined {
    return this.#attached?.io;
  }

  /**
   * Starts the process and waits until it runs, or ran.
   * @throws RunscError if it cannot be started, as for a missing command; the exit is then `failed`.
   */
  async start(signal?: AbortSignal): Promise<void> {
    await this.bringUp("start", signal, async (both) => {
      this.#context.requireRunning();
      this.#hasBegun = true;
      try {
        await this.#spawn();
        await this.#untilBegun(both);
      } catch (error) {
        await this.#abandon(error);
        throw error;
      }
    });
  }

  /**
   * Sends a signal. One that was never started has nobody to take it, which is no error; to what has ended,
   * SIGTERM and SIGKILL are done already.
   * @throws `not_found` for any other signal to it.
   */
  async kill(signalName: SignalName, signal?: AbortSignal): Promise<void> {
    await this.queue.add(async () => {
      if (this.life.state === "created") return;
      if (this.isOverFor(signalName)) return;
      await this.#signal(signalName, signal);
    }, signal);
  }

  /** Notes that the whole container is about to be ended, which takes this process along. */
  doom(reason: TerminateReason): void {
    this.record.note(reason);
  }

  async terminate(reason: TerminateReason): Promise<void> {
    if (this.record.exit !== undefined) return;
    await this.condemn(reason);
    if (this.#attached !== undefined) await this.#destroy(this.#attached.process);
    this.setExited(killedExit(reason));
  }

  /** Sets the terminal's size. @throws `failed_precondition` once the process has ended. */
  resize(cols: number, rows: number): void {
    this.life.require("resize");
    this.console?.resize(cols, rows);
  }

  async delete(): Promise<void> {
    await this.queue.add(async () => {
      this.life.require("delete");
      await this.drained();
      this.#attached?.io.close();
      this.record.take(killedExit("cancelled"));
      this.life.to("deleted");
      this.record.publish();
      this.#context.onDeleted();
    });
  }

  async #spawn(): Promise<void> {
    const { runsc, container, pipes, stdio, spec, process } = this.#context;
    const terminal = stdio.kind === "console";
    const text = JSON.stringify({ ...spec, ...process, terminal });
    await writeFile(this.#specFile, text, { mode: 0o600 });
    const options = { process: this.#specFile, internalPidFile: this.#pidFile };
    this.#attached = await attach({
      stdio,
      pipes,
      spawn: async (descriptors) => await runsc.exec(container, options, descriptors),
      command: () => runsc.terminalCommand(execArgs(container, options)),
    });
    this.life.to("running");
    this.#watched = this.#watch(this.#attached.process);
  }

  async #watch(child: RunscProcess): Promise<void> {
    const exit = await exitOfAttached(child);
    await this.#removeFiles();
    child.forget();
    this.setExited(exit);
  }

  async #untilBegun(signal: AbortSignal): Promise<void> {
    await this.#findPid(this.deadlines.startMs, signal);
    const { exit } = this;
    if (exit?.reason === "failed") throw new RunscError("exec", exit.message ?? "", exit.code);
  }

  /** The file with the pid is there as soon as the process is; it may be over before that is seen. */
  async #findPid(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    this.#internalPid ??= await poll(
      `see a process of container ${this.#context.container} begin`,
      async () => (this.exit === undefined ? await this.#readPid() : 0),
      { timeoutMs, intervalMs: 3, ...(signal === undefined ? {} : { signal }) },
    );
  }

  async #readPid(): Promise<number | undefined> {
    const text = await readFile(this.#pidFile, "utf8").catch(() => "");
    if (text === "") return undefined;
    const pid = Number(text);
    if (Number.isSafeInteger(pid) && pid > 0) return pid;
    throw new RunscError("exec", `its pid file holds ${JSON.stringify(text.slice(0, 40))}`);
  }

  /** After a start that failed nothing may run on unseen, and nobody may wait for ever. */
  async #abandon(error: unknown): Promise<void> {
    if (this.#attached !== undefined && this.exit === undefined) {
      this.record.note("failed");
      await this.#destroy(this.#attached.process);
    }
    await this.#removeFiles();
    this.setExited(internalExit("failed", messageOf(error)));
  }

  async #signal(signalName: SignalName, signal?: AbortSignal): Promise<void> {
    const { runsc, container } = this.#context;
    const pid = this.#internalPid;
    if (pid === undefined || pid === 0) {
      throw new RunletError(
        "failed_precondition",
        `Cannot signal a process of container ${container}: it is coming up. Wait for its start`,
      );
    }
    const call = { timeoutMs: this.deadlines.signalMs, signal };
    try {
      await runsc.kill(container, signalNumber(signalName), { pid }, call);
    } catch (cause) {
      signal?.throwIfAborted();
      const what = `Cannot send ${signalName} to process ${pid} of container ${container}`;
      throw new RunletError("not_found", `${what}: ${messageOf(cause)}`, { cause });
    }
  }

  /** From inside first: the death of `runsc exec` alone would leave the process running unseen. Never rejects. */
  async #destroy(process: RunscProcess): Promise<void> {
    const { exitMs } = this.deadlines;
    try {
      await this.#findPid(exitMs);
      await this.#signal("SIGKILL");
      await this.#seeEnd(exitMs);
    } catch {
      process.kill("SIGKILL");
      await this.#seeEnd(exitMs).catch(() => undefined);
    }
  }

  async #seeEnd(timeoutMs: number): Promise<void> {
    await within(this.#watched, "see the process end", timeoutMs);
  }

  async #removeFiles(): Promise<void> {
    await rm(this.#specFile, { force: true });
    await rm(this.#pidFile, { force: true });
  }
}
