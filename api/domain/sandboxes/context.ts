import { randomUUID } from "node:crypto";
import { nowUs } from "../../../runtime/clock.ts";
import { Kernel } from "../../../runtime/guest/context/kernel.ts";
import type { CellSpec, CodeContext, ContextSpec } from "../../schema/sandbox-context.ts";
import { isRunletError, RunletError } from "../errors.ts";
import { Cell } from "./cell.ts";
import type { Sandbox } from "./sandbox.ts";

/** How many cells of a context may wait for their turn. */
const maxWaiting = 16;
/** What is interrupted and does not end within this time, ends with its context. */
const graceMs = 3000;

/** A context of a sandbox: cells run in it one at a time, in the order in which they came. */
export class Context {
  readonly #sandbox: Sandbox;
  readonly #kernel: Kernel;
  readonly #facts: Omit<CodeContext, "state" | "executionCount">;
  readonly #waiting: Cell[] = [];
  #running: Cell | undefined;
  #executionCount = 0;
  #interrupts: Promise<unknown> = Promise.resolve();
  #ended: Pick<CodeContext, "endedAtUs" | "endReason"> | undefined;

  private constructor(sandbox: Sandbox, kernel: Kernel, { language, cwd, user }: ContextSpec) {
    this.#sandbox = sandbox;
    this.#kernel = kernel;
    this.#facts = {
      id: randomUUID(),
      sandboxId: sandbox.id,
      language,
      ...(cwd !== undefined && { cwd }),
      ...(user !== undefined && { user }),
      createdAtUs: nowUs(),
    };
    void kernel.ended.then(({ message }) => this.#settle(message));
  }

  /** Opens a context; it is ready for a cell when this returns. @throws `failed_precondition`, `not_found`. */
  static async open(sandbox: Sandbox, spec: ContextSpec, signal: AbortSignal): Promise<Context> {
    try {
      const kernel = await Kernel.start(sandbox.use(), spec, signal);
      return new Context(sandbox, kernel, spec);
    } catch (error) {
      if (!isRunletError(error) || !error.message.includes("there is no program")) throw error;
      throw new RunletError(
        "failed_precondition",
        `Cannot open a context of ${spec.language}: the sandbox's image ${sandbox.spec.image} has no ${
          spec.language === "python" ? "python3" : "node"
        } that its user may run. Take an image that has it`,
        { cause: error },
      );
    }
  }

  get id(): string {
    return this.#facts.id;
  }

  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** The context as it is now. */
  get view(): CodeContext {
    const state = this.#ended ? "ended" : this.#running ? "busy" : "idle";
    return { ...this.#facts, state, executionCount: this.#executionCount, ...this.#ended };
  }

  /** Has a cell run when its turn comes. @throws `failed_precondition`, `resource_exhausted`. */
  execute(spec: CellSpec): Cell {
    this.#sandbox.use();
    if (this.#ended !== undefined) {
      throw new RunletError(
        "failed_precondition",
        `Cannot run code in context ${this.id}: it has ended. ${this.#ended.endReason}. Open another one`,
      );
    }
    if (this.#waiting.length >= maxWaiting) {
      throw new RunletError(
        "resource_exhausted",
        `Cannot run code in context ${this.id}: ${maxWaiting} cells wait for their turn, which is all that may`,
      );
    }
    const cell = new Cell(spec, (left) => this.#leave(left));
    this.#waiting.push(cell);
    if (this.#running === undefined) void this.#runNext();
    return cell;
  }

  /** Interrupts the cell that runs, if one does; those that wait run all the same. */
  async interrupt(): Promise<void> {
    this.#sandbox.use();
    if (this.#running === undefined) return;
    await this.#interrupt(this.#running, "interrupted");
  }

  /** Ends it with what runs in it. */
  end(reason: string): void {
    this.#kernel.end(new RunletError("cancelled", reason));
  }

  async #runNext(): Promise<void> {
    for (let cell = this.#waiting.shift(); cell !== undefined; cell = this.#waiting.shift()) {
      this.#running = cell;
      await this.#run(cell);
      this.#running = undefined;
    }
  }

  async #run(cell: Cell): Promise<void> {
    using _busy = this.#sandbox.activity.begin();
    const count = ++this.#executionCount;
    cell.begin(count);
    const timer = setInterval(() => {
      // The time for which the sandbox is paused is not the cell's.
      if (this.#sandbox.row.state === "running" && cell.stopReason !== "timeout")
        void this.#stop(cell, "timeout");
    }, cell.spec.timeoutMs);
    timer.unref();
    try {
      await this.#kernel.run(cell.spec.code, count, (event) => cell.take(event));
      // None of them may reach the next cell.
      await this.#interrupts;
      cell.end(this.#waiting.length === 0 ? "idle" : "busy");
    } catch (error) {
      const reason = isRunletError(error) ? error.message : String(error);
      this.#settle(reason);
      cell.end("ended", reason);
    } finally {
      clearInterval(timer);
    }
  }

  #leave(cell: Cell): void {
    const at = this.#waiting.indexOf(cell);
    if (at >= 0) this.#waiting.splice(at, 1);
    else if (this.#running === cell) void this.#stop(cell, "interrupted");
  }

  /** Interrupts a cell, and ends the context where that is not heeded. */
  async #stop(cell: Cell, reason: "interrupted" | "timeout"): Promise<void> {
    const timer = setTimeout(() => {
      const why = reason === "timeout" ? `${cell.spec.timeoutMs} ms were over` : "its caller left";
      if (this.#running === cell)
        this.end(`A cell did not end when it was interrupted because ${why}`);
    }, graceMs);
    timer.unref();
    await this.#interrupt(cell, reason);
  }

  async #interrupt(cell: Cell, reason: "interrupted" | "timeout"): Promise<void> {
    cell.stopReason = reason;
    // One that has just ended is not there to be told.
    const told = this.#kernel.interrupt(AbortSignal.timeout(graceMs)).catch(() => undefined);
    this.#interrupts = Promise.all([this.#interrupts, told]);
    await told;
  }

  #settle(endReason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = { endedAtUs: nowUs(), endReason };
    for (const cell of this.#waiting.splice(0)) cell.end("ended", endReason);
  }
}
