import type { FileChange } from "../../../runtime/guest/agent/agent-tools.ts";
import type { Sandbox } from "./sandbox.ts";

/** One who is told of what changes below a directory of a sandbox; disposing it ends the process that looks. */
export class FileWatch implements Disposable {
  readonly #changes: AsyncGenerator<FileChange>;
  readonly #leaving: AbortController;
  #first: FileChange | undefined;

  private constructor(
    changes: AsyncGenerator<FileChange>,
    first: FileChange | undefined,
    leaving: AbortController,
  ) {
    this.#changes = changes;
    this.#first = first;
    this.#leaving = leaving;
  }

  /** Begins to watch; from then on nothing is missed. @throws `not_found`, `failed_precondition`. */
  static async begin(
    sandbox: Sandbox,
    path: string,
    options: { user?: string | undefined; recursive: boolean },
    signal: AbortSignal,
  ): Promise<FileWatch> {
    const { user, recursive: isRecursive } = options;
    const leaving = new AbortController();
    const either = AbortSignal.any([signal, leaving.signal]);
    const changes = sandbox.tools.watch(path, { user, isRecursive }, either);
    const first = await changes.next();
    return new FileWatch(changes, first.done ? undefined : first.value, leaving);
  }

  /** The next change; undefined once there will be none. */
  async next(): Promise<FileChange | undefined> {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) return first;
    const next = await this.#changes.next().catch(() => ({ done: true }) as const);
    return next.done ? undefined : next.value;
  }

  [Symbol.dispose](): void {
    // One that waits for a change hears only the first, and one that does not only the second.
    this.#leaving.abort();
    void this.#changes.return(undefined).catch(() => undefined);
  }
}
