import type { Writable } from "node:stream";
import { isRunletError, RunletError } from "../errors.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Exit, SignalName } from "./exit.ts";
import { ExitRecord, type TerminateReason } from "./exit-record.ts";
import { Lifecycle, type Verb } from "./state.ts";
import type { ConsoleIo } from "./stdio/console-io.ts";
import { drainToEnd, type Io, type Output } from "./stdio/stdio.ts";
import { VerbQueue } from "./verb-queue.ts";

/**
 * What the first and the further processes of a container have in common: one life, one exit, streams. Verbs
 * are done one after another; `wait` and `terminate` never queue behind them.
 */
export abstract class ContainerProcess implements AsyncDisposable {
  protected readonly life: Lifecycle;
  protected readonly deadlines: Deadlines;
  protected readonly record = new ExitRecord();
  protected readonly queue = new VerbQueue();
  readonly #what: string;
  readonly #condemned = new AbortController();
  /** What leads to a running process and is under way. */
  #rising: Promise<void> | undefined;

  /** `what` names the process in messages. */
  constructor(what: string, deadlines: Deadlines) {
    this.#what = what;
    this.life = new Lifecycle(what);
    this.deadlines = deadlines;
  }

  protected abstract get io(): Io | undefined;

  abstract get console(): ConsoleIo | undefined;

  get stdin(): Writable | undefined {
    return this.io?.stdin;
  }

  get stdout(): Output | undefined {
    return this.io?.stdout;
  }

  get stderr(): Output | undefined {
    return this.io?.stderr;
  }

  /** How the process ended, once it has. */
  get exit(): Exit | undefined {
    return this.record.exit;
  }

  /** Whether it is to end, from the moment that was decided on. */
  get isCondemned(): boolean {
    return this.record.isCondemned;
  }

  /** Waits until the process has ended. Its output may still be on the way, see {@link drained}. */
  async wait(signal?: AbortSignal): Promise<Exit> {
    return await this.record.wait(signal);
  }

  /** Waits, after the end, until all output has been delivered; cuts it off at the deadline for output. */
  async drained(): Promise<void> {
    if (this.io !== undefined) await drainToEnd(this.io, this.deadlines.drainMs);
  }

  /** Kills at once; the exit bears `reason` unless the process was quicker. Never rejects. */
  abstract terminate(reason: TerminateReason): Promise<void>;

  /** Takes down how the process ended; the first word stands. */
  setExited(exit: Exit): void {
    if (this.life.state === "deleted") return;
    this.record.take(exit);
    // A start that is under way returns first, so that no process stops before it ran.
    if (this.#rising === undefined) this.#applyExit();
  }

  /** Lets go of a process that has ended or never ran. */
  abstract delete(): Promise<void>;

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.life.state === "deleted") return;
    await this.terminate("cancelled");
    try {
      await this.delete();
    } catch (error) {
      if (!isRunletError(error, "not_found")) throw error;
    }
  }

  /**
   * Whether a signal has nobody left to go to, where SIGTERM and SIGKILL are done already.
   * @throws `not_found` for any other signal.
   */
  protected isOverFor(signalName: SignalName): boolean {
    if (!this.life.isOver) return false;
    if (signalName === "SIGTERM" || signalName === "SIGKILL") return true;
    throw this.life.refusal("signal", "not_found");
  }

  /** Does what leads to a running process, until it is there or {@link condemn} breaks it off. */
  protected async bringUp(
    verb: Verb,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    await this.queue.add(async () => {
      this.life.require(verb);
      const { signal: condemned } = this.#condemned;
      const both = signal === undefined ? condemned : AbortSignal.any([signal, condemned]);
      both.throwIfAborted();
      this.#rising = work(both);
      try {
        await this.#rising;
      } finally {
        this.#rising = undefined;
        this.#applyExit();
      }
    }, signal);
  }

  /** Notes that the process is to end, and breaks off what would bring it up; never rejects. */
  protected async condemn(reason: TerminateReason): Promise<void> {
    this.record.note(reason);
    this.#condemned.abort(
      new RunletError("cancelled", `Cannot start ${this.#what}: it was ended (${reason})`),
    );
    await this.#rising?.catch(() => undefined);
  }

  #applyExit(): void {
    if (this.record.exit === undefined) return;
    if (!this.life.isOver) this.life.to("stopped");
    this.record.publish();
  }
}
