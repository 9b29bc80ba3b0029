import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isRunletError } from "../errors.ts";
import { assertRestorable, specOfCheckpoint } from "./checkpoint.ts";

/** Checkpoints that are kept: a directory each, for its owner alone. They go when nobody reads them any more. */
export class Checkpoints {
  readonly #directory: string;
  readonly #readers = new Map<string, number>();
  readonly #doomed = new Set<string>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Opens those in a directory, and makes it where it is missing. */
  static async open(directory: string): Promise<Checkpoints> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new Checkpoints(directory);
  }

  /**
   * Removes what is none of the `known` ones, such as what an earlier process had half written; answers which
   * of them are not whole. Only while nothing is written or read.
   */
  async sweep(known: ReadonlySet<string>): Promise<{ removed: string[]; missing: string[] }> {
    const removed = (await readdir(this.#directory)).filter((name) => !known.has(name));
    for (const name of removed) await this.remove(name);
    const missing: string[] = [];
    for (const name of known) if (!(await this.isWhole(name))) missing.push(name);
    return { removed, missing };
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  /** Whether all of it is there. */
  async isWhole(name: string): Promise<boolean> {
    try {
      await specOfCheckpoint(this.path(name));
      return true;
    } catch (error) {
      return !isRunletError(error, "not_found");
    }
  }

  /** @throws `not_found` if it is not whole, `failed_precondition` if its image is gone. */
  async assertRestorable(name: string): Promise<void> {
    await assertRestorable(await specOfCheckpoint(this.path(name)));
  }

  /** What it takes on the disk. */
  async sizeOf(name: string): Promise<number> {
    const files = await readdir(this.path(name));
    const stats = await Promise.all(
      files.map(async (file) => await stat(join(this.path(name), file))),
    );
    return stats.reduce((sum, { size }) => sum + size, 0);
  }

  /** Keeps it from going until the answer is disposed. */
  read(name: string): AsyncDisposable {
    this.#readers.set(name, (this.#readers.get(name) ?? 0) + 1);
    return {
      [Symbol.asyncDispose]: async (): Promise<void> => {
        const left = (this.#readers.get(name) ?? 1) - 1;
        if (left > 0) return void this.#readers.set(name, left);
        this.#readers.delete(name);
        if (this.#doomed.delete(name)) await this.remove(name);
      },
    };
  }

  /** Removes it, once those who read it have done so. */
  async remove(name: string): Promise<void> {
    if (this.#readers.has(name)) this.#doomed.add(name);
    else await rm(this.path(name), { recursive: true, force: true });
  }
}
