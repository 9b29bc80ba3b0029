import type { FileChange } from "../../../runtime/guest/agent/agent-tools.ts";
import type { Sandbox } from "./sandbox.ts";

/** One who is told of what changes below a directory of a sandbox. */
export class FileWatch implements Disposable {
  readonly #changes: AsyncGenerator<FileChange>;
  #first: FileChange | undefined;

  private constructor(changes: AsyncGenerator<FileChange>, first: FileChange | undefined) {
    this.#changes = changes;
    this.#first = first;
  }

  /** Begins to watch; from then on nothing is missed. @throws `not_found`, `failed_precondition`. */
  static async begin(
    sandbox: Sandbox,
    path: string,
    options: { user?: string | undefined; recursive: boolean },
  ): Promise<FileWatch> {
    const { user, recursive: isRecursive } = options;
    const changes = sandbox.tools.watch(path, { user, isRecursive });
    const first = await changes.next();
    return new FileWatch(changes, first.done ? undefined : first.value);
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
    void this.#changes.return(undefined).catch(() => undefined);
  }
}
