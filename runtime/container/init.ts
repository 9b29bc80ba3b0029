import type { Duplex } from "node:stream";
import { within } from "../deadline.ts";
import { messageOf, RunletError } from "../errors.ts";
import type { Bundle } from "../oci/bundle.ts";
import type { ContainerStats } from "../runsc/answers.ts";
import type { CallOptions } from "../runsc/runsc.ts";
import type { CgroupUsage } from "./cgroup/cgroup.ts";
import type { CgroupLimits } from "./cgroup/limits.ts";
import { claimBundle } from "./claim-bundle.ts";
import { ContainerProcess } from "./container-process.ts";
import { type Deadlines, defaultDeadlines } from "./deadlines.ts";
import { type ExecOptions, ExecProcess } from "./exec-process.ts";
import { type Exit, internalExit, killedExit, type SignalName } from "./exit.ts";
import type { TerminateReason } from "./exit-record.ts";
import type { ContainerId } from "./id.ts";
import { checkCheckpointable, writeCheckpoint } from "./checkpoint.ts";
import { checkInitOptions, type InitOptions } from "./init-options.ts";
import { AttachedLaunch } from "./launch-attached.ts";
import { DetachedLaunch } from "./launch-detached.ts";
import { RestoredLaunch } from "./launch-restored.ts";
import type { Launch } from "./launch.ts";
import type { Status, Verb } from "./state.ts";
import type { ConsoleIo } from "./stdio/console-io.ts";
import type { Io } from "./stdio/stdio.ts";

/**
 * The first process of a container, and with it the container. Disposing it ends the container in whatever
 * state and removes all of it.
 */
export class Init extends ContainerProcess {
  readonly id: ContainerId;
  readonly #options: InitOptions;
  readonly #launch: Launch;
  readonly #execs = new Set<ExecProcess>();
  #execCount = 0;
  #isBeingSaved = false;
  #bundle: Bundle | undefined;

  /** @throws `invalid_argument` for a combination that runsc has no means for. */
  constructor(options: InitOptions) {
    checkInitOptions(options);
    super(`container ${options.id}`, { ...defaultDeadlines, ...options.deadlines });
    this.id = options.id;
    this.#options = options;
    this.#launch = new (launchOf(options))(options, this.deadlines);
  }

  /** The host process that lives as long as the container: `runsc run` if attached, else the sandbox. */
  get pid(): number | undefined {
    return this.#launch.pid;
  }

  /** The host's side of the guest's descriptor 3, or of its stdin and stdout where these are its channel. */
  get channel(): Duplex | undefined {
    return this.#launch.channel;
  }

  get console(): ConsoleIo | undefined {
    return this.#launch.console;
  }

  protected get io(): Io | undefined {
    return this.#launch.io;
  }

  /** Makes the bundle and, detached, the sandbox. On failure nothing of it is left. */
  async create(signal?: AbortSignal): Promise<void> {
    await this.bringUp("create", signal, async (both) => {
      if (this.#bundle !== undefined) throw this.life.refusal("create", "failed_precondition");
      this.#bundle = claimBundle(this.#options);
      try {
        this.#options.cgroup?.create();
        await this.#launch.create(this.#bundle.path, both);
      } catch (error) {
        await this.#removeAll();
        this.record.take(internalExit("failed", messageOf(error)));
        throw error;
      }
    });
  }

  /**
   * Starts the process; attached, a failure inside runsc shows as an exit with reason `failed`.
   * @throws `failed_precondition`, `invalid_argument` or `resource_exhausted` for a checkpoint that it cannot
   * go on from.
   */
  async start(signal?: AbortSignal): Promise<void> {
    await this.bringUp("start", signal, async (both) => {
      try {
        await this.#launch.start(this.#directory(), both);
      } catch (error) {
        // runsc leaves such a container as created, though it can never run.
        if (this.#options.subcontainer === true || this.#options.restoreFrom !== undefined) {
          this.record.take(internalExit("failed", messageOf(error)));
        }
        throw error;
      }
      this.life.to("running");
      this.#options.cgroup?.onOomKill(() => void this.#launch.destroy());
      void this.#launch.ended().then((exit) => this.setExited(this.#judged(exit)));
    });
  }

  /** Where the container is now; a stopped one is not asked for. */
  async status(signal?: AbortSignal): Promise<Status> {
    if (this.life.isOver) return "stopped";
    if (this.life.state === "paused") return "paused";
    const status = await this.#launch.status(signal);
    // The exit itself comes by its own way, and whoever deletes waits for it.
    if (status === "stopped" && !this.life.isOver) this.life.to("stopped");
    return status;
  }

  /** The sandbox process, proven to be ours at this moment; undefined while or where there is none. */
  async sandboxPid(): Promise<number | undefined> {
    return await this.#launch.sandboxPid();
  }

  /**
   * Sends a signal. To what has ended, SIGTERM and SIGKILL are done already.
   * @throws `not_found` for any other signal to it, `deadline_exceeded` if runsc refuses for about a second.
   */
  async kill(
    signalName: SignalName,
    options: { all?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<void> {
    await this.queue.add(async () => {
      if (this.isOverFor(signalName)) return;
      this.life.require("signal");
      await this.#launch.kill(signalName, options, signal);
    }, signal);
  }

  async terminate(reason: TerminateReason): Promise<void> {
    if (this.record.exit !== undefined) return;
    for (const exec of this.#execs) exec.doom(reason);
    await this.condemn(reason);
    await this.#launch.destroy();
    if (this.life.state === "created") this.setExited(killedExit(reason));
    await this.#settleExit();
  }

  /** Prepares a further process; nothing runs until its own start. */
  exec(options: ExecOptions): ExecProcess {
    this.life.require("exec in");
    const { runsc, pipes, spec } = this.#options;
    const exec = new ExecProcess({
      ...options,
      runsc,
      pipes,
      spec: spec.process,
      container: this.id,
      name: `exec-${++this.#execCount}`,
      directory: this.#directory(),
      deadlines: this.deadlines,
      requireRunning: () => {
        this.life.require("start in");
        if (this.#isBeingSaved) throw this.#beingSaved();
      },
      onDeleted: () => this.#execs.delete(exec),
    });
    this.#execs.add(exec);
    return exec;
  }

  /** Sets limits of the container's cgroup, where it has one; also while it runs. @throws `unavailable`. */
  limit(limits: CgroupLimits): void {
    this.#options.cgroup?.setLimits(limits);
  }

  /** The host processes of the sandbox, where it has a cgroup; `runsc run`, which waits for them, is none. */
  processes(): number[] {
    return this.#options.cgroup?.processes().filter((pid) => pid !== this.pid) ?? [];
  }

  /** What the container uses now with all of its sandbox, where it has a cgroup. */
  usage(): CgroupUsage | undefined {
    return this.#options.cgroup?.usage();
  }

  /** Asks for the usage of the container now. */
  async stats(signal?: AbortSignal): Promise<ContainerStats> {
    const { runsc } = this.#options;
    return await this.#ask("stat", "statusMs", signal, async (call) => {
      return await runsc.stats(this.id, call);
    });
  }

  /** Stops all tasks inside where they stand. */
  async pause(signal?: AbortSignal): Promise<void> {
    await this.#ask("pause", "pauseMs", signal, async (call) => {
      await this.#options.runsc.pause(this.id, call);
      if (this.life.state === "running") this.life.to("paused");
    });
  }

  /** Lets a paused container go on. */
  async resume(signal?: AbortSignal): Promise<void> {
    await this.#ask("resume", "pauseMs", signal, async (call) => {
      await this.#options.runsc.resume(this.id, call);
      if (this.life.state === "paused") this.life.to("running");
    });
  }

  /** Sets the terminal's size; without a terminal, and once the process has ended, nothing. */
  resize(cols: number, rows: number): void {
    this.#launch.console?.resize(cols, rows);
  }

  /**
   * Writes memory and files of the container to a new directory. It stands still meanwhile and then goes on; one
   * that is paused stays so, which lets a caller end it where it was saved. See CHECKPOINT.md.
   * @throws `failed_precondition` where something of it could not be restored, `resource_exhausted` for want of
   * disk, `already_exists`.
   */
  async checkpoint(directory: string, signal?: AbortSignal): Promise<void> {
    const image = { imagePath: directory, leaveRunning: true, compression: "none" } as const;
    await this.#ask("checkpoint", "checkpointMs", signal, async (call) => {
      const live = [...this.#execs].filter((exec) => exec.isLive);
      checkCheckpointable(this.#options, live.length);
      this.#isBeingSaved = true;
      try {
        await writeCheckpoint(directory, this.#options, async () => {
          await this.#options.runsc.checkpoint(this.id, image, call);
        });
      } finally {
        this.#isBeingSaved = false;
      }
    });
  }

  /**
   * Removes the container, which must have ended or never have run; a paused one is ended first.
   * @throws `not_found` if it is deleted already; after any other error it may be tried again.
   */
  async delete(): Promise<void> {
    await this.queue.add(async () => {
      this.life.require("delete");
      if (this.life.state === "paused") await this.#thaw();
      const hasRun = this.life.state !== "created";
      await this.#launch.killLeftovers();
      if (hasRun) await this.#settleExit();
      await this.#removeAll();
      this.record.take(killedExit("cancelled"));
      this.life.to("deleted");
      this.record.publish();
    });
  }

  async #ask<T>(
    verb: Verb,
    bound: keyof Deadlines,
    signal: AbortSignal | undefined,
    work: (call: CallOptions) => Promise<T>,
  ): Promise<T> {
    return await this.queue.add(async () => {
      this.life.require(verb);
      return await work({ timeoutMs: this.deadlines[bound], signal });
    }, signal);
  }

  /** runsc takes no signal for a paused container. */
  async #thaw(): Promise<void> {
    const { runsc, log } = this.#options;
    this.record.note("cancelled");
    try {
      await runsc.resume(this.id, { timeoutMs: this.deadlines.pauseMs });
    } catch (error) {
      log?.warn({ container: this.id, reason: messageOf(error) }, "resume before delete failed");
    }
  }

  /** The order is the contract: nothing runs any more, its output is read, runsc forgets it, streams, bundle. */
  async #removeAll(): Promise<void> {
    for (const exec of this.#execs) await exec[Symbol.asyncDispose]();
    await this.drained();
    await this.#launch.remove();
    await this.#options.cgroup?.[Symbol.asyncDispose]();
    this.io?.close();
    this.channel?.destroy();
    this.#bundle?.[Symbol.dispose]();
  }

  /** Whether a limit was behind an exit is known until the cgroup is gone. */
  #judged(exit: Exit): Exit {
    const { cgroup } = this.#options;
    if (cgroup === undefined) return exit;
    if (cgroup.oomKills() > 0) this.record.note("oom");
    if (exit.reason !== "failed" || !cgroup.hasRefusedForks()) return exit;
    return { ...exit, message: "the sandbox ended at the container's limit on processes" };
  }

  /** An exit that does not come although the container has ended must not be waited for without end. */
  async #settleExit(): Promise<void> {
    try {
      await within(this.wait(), "see the exit", this.deadlines.exitMs);
    } catch (error) {
      this.setExited(killedExit("lost", messageOf(error)));
    }
  }

  #beingSaved(): RunletError {
    return new RunletError(
      "failed_precondition",
      `Cannot start in container ${this.id}: it is being saved. Try again after the checkpoint`,
    );
  }

  #directory(): string {
    if (this.#bundle !== undefined) return this.#bundle.path;
    throw new RunletError(
      "failed_precondition",
      `Cannot start container ${this.id}: it has no bundle. Create it first`,
    );
  }
}

function launchOf({
  launch,
  restoreFrom,
}: InitOptions): typeof AttachedLaunch | typeof DetachedLaunch {
  if (launch === "detached") return DetachedLaunch;
  return restoreFrom === undefined ? AttachedLaunch : RestoredLaunch;
}
