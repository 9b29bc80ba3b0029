import { poll } from "../deadline.ts";
import { isRunletError, RunletError } from "../errors.ts";
import { RunscError } from "../runsc/error.ts";
import type { RunOptions } from "../runsc/options.ts";
import type { DescriptorSource, RunscProcess } from "../runsc/process.ts";
import { forceDelete } from "./force-delete.ts";
import type { InitOptions } from "./init-options.ts";
import { AttachedLaunch } from "./launch-attached.ts";
import { restoreFailure } from "./restore-failure.ts";

/**
 * A container that goes on where the one in a checkpoint was, as the child of an attached `runsc restore`. That
 * process waits for it as `runsc run` does, but leaves the clean-up, and does not take the sandbox along.
 */
export class RestoredLaunch extends AttachedLaunch {
  /** Why it was not known at the last look. */
  #lastError: RunscError | undefined;

  /** Returns once the container goes on, or went on and has ended. On failure nothing of it runs. */
  override async start(bundle: string, signal?: AbortSignal): Promise<void> {
    await super.start(bundle);
    try {
      await this.#untilRestored(signal);
    } catch (error) {
      await this.destroy();
      throw error;
    }
    const exit = this.hasExited ? await this.ended() : undefined;
    if (exit?.message === undefined) return;
    if (this.#isOutOfMemory()) throw outOfMemory(this.options);
    throw restoreFailure(this.options.id, exit.message);
  }

  override async remove(): Promise<void> {
    if (this.process === undefined) return;
    const { id, runsc } = this.options;
    await forceDelete(runsc, id, this.deadlines.deleteMs);
    this.process.forget();
  }

  protected override async spawn(
    run: RunOptions,
    descriptors: readonly DescriptorSource[],
  ): Promise<RunscProcess> {
    const { id, runsc, restoreFrom = "" } = this.options;
    return await runsc.restore(id, { ...run, imagePath: restoreFrom }, descriptors);
  }

  async #untilRestored(signal?: AbortSignal): Promise<void> {
    const { id } = this.options;
    try {
      await poll(`restore container ${id}`, async () => await this.#isRestored(signal), {
        timeoutMs: this.deadlines.startMs,
        intervalMs: 10,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (!isRunletError(error, "deadline_exceeded") || this.#lastError === undefined) throw error;
      throw new RunletError(error.code, `${error.message}: ${this.#lastError.message}`);
    }
  }

  async #isRestored(signal?: AbortSignal): Promise<true | undefined> {
    const { id, runsc } = this.options;
    const timeoutMs = Math.min(this.deadlines.statusMs, this.deadlines.startMs);
    if (this.hasExited) return true;
    // What is left of the sandbox may hang.
    if (this.#isOutOfMemory()) throw outOfMemory(this.options);
    try {
      const state = await runsc.state(id, { timeoutMs, signal });
      return state.status === "running" || undefined;
    } catch (error) {
      // It comes up, and runsc has not heard of it or has half of its record.
      if (!(error instanceof RunscError)) throw error;
      this.#lastError = error;
      return undefined;
    }
  }

  #isOutOfMemory(): boolean {
    return (this.options.cgroup?.oomKills() ?? 0) > 0;
  }
}

function outOfMemory({ id }: InitOptions): RunletError {
  const fact = "what was saved takes more memory than it may have. Give it more";
  return new RunletError("resource_exhausted", `Cannot restore container ${id}: ${fact}`);
}
