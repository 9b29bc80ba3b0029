import PQueue from "p-queue";
import { Agent } from "../../../runtime/guest/agent/agent.ts";
import type { Machine } from "../../../runtime/machine.ts";
import type { SandboxSpec, SandboxView } from "../../schema/sandbox.ts";
import type { CopySpec } from "../../schema/snapshot.ts";
import type { Commands } from "./commands.ts";
import type { Brought, Sandboxes } from "./sandboxes.ts";

export interface CopiesOptions {
  machine: Machine;
  sandboxes: Sandboxes;
  commands: Commands;
  /** How many may start at once. */
  maxStarts: number;
}

/** Sandboxes that go on from where another was saved. */
export class Copies {
  readonly #options: CopiesOptions;
  readonly #starts: PQueue;

  constructor(options: CopiesOptions) {
    this.#options = options;
    this.#starts = new PQueue({ concurrency: options.maxStarts });
  }

  /**
   * Opens one sandbox for each spec, all or none of them, from the directory that `save` answers; it is asked
   * once there is room for all. They are ended where the caller goes away before the answer.
   * @throws `resource_exhausted`, as Agent.restored, and what `save` throws.
   */
  async open(
    specs: readonly SandboxSpec[],
    save: () => Promise<string>,
    signal?: AbortSignal,
  ): Promise<SandboxView[]> {
    this.#options.sandboxes.requireRoom(specs);
    const saved = save();
    // Nobody may come to wait for it.
    saved.catch(() => undefined);
    const opening = specs.map(async (spec) => await this.#open(spec, saved, signal));
    const ended = await Promise.allSettled(opening);
    const failed = ended.find((each) => each.status === "rejected");
    const views = ended.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    if (failed === undefined) return views;
    await Promise.all(views.map(async ({ id }) => await this.#remove(id)));
    throw failed.reason;
  }

  async #open(
    spec: SandboxSpec,
    saved: Promise<string>,
    callerSignal: AbortSignal | undefined,
  ): Promise<SandboxView> {
    const { sandboxes, commands } = this.#options;
    const bring = async (_: string, signal: AbortSignal): Promise<Brought> => {
      const directory = await saved;
      return await this.#starts.add(async () => await this.#bring(directory, spec, signal));
    };
    const view = await sandboxes.open(spec, bring, callerSignal);
    try {
      await commands.adopt(view.id);
      return view;
    } catch (error) {
      await this.#remove(view.id);
      throw error;
    }
  }

  async #bring(directory: string, spec: SandboxSpec, signal: AbortSignal): Promise<Brought> {
    signal.throwIfAborted();
    const { memoryBytes, cpus, pids, cwd = "/" } = spec;
    const limits = { memoryBytes, cpus, pids };
    const agent = await Agent.restored(this.#options.machine, directory, limits, signal);
    return { agent, start: "restored", cwd };
  }

  /** One that has ended by itself is gone already. */
  async #remove(id: string): Promise<void> {
    await this.#options.sandboxes.remove(id).catch(() => undefined);
  }
}

/** The spec of a copy: that of the original, and what is to be otherwise. */
export function copyOf(
  original: SandboxSpec,
  { idleTimeoutMs, ...changes }: CopySpec,
): SandboxSpec {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return {
    ...original,
    ...Object.fromEntries(given),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs: idleTimeoutMs ?? undefined }),
  };
}
