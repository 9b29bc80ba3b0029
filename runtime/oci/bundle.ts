import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Spec } from "./spec.ts";

/** An OCI bundle: a directory of one container with its `config.json`. Disposing it removes the directory. */
export class Bundle implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes the directory `parent/id` with the spec in it; fails if the directory exists. */
  static async create(parent: string, id: string, spec: Spec): Promise<Bundle> {
    const path = join(parent, id);
    await mkdir(path, { mode: 0o700 });
    await writeFile(join(path, "config.json"), JSON.stringify(spec), { mode: 0o600 });
    return new Bundle(path);
  }

  /** A path inside the bundle. */
  file(name: string): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
