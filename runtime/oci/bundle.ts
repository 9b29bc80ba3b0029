import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Spec } from "./spec.ts";

/** An OCI bundle: a directory of one container with its `config.json`. Disposing it removes the directory. */
export class Bundle implements Disposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes the directory `parent/id` with the spec in it; fails if the directory exists. */
  static create(parent: string, id: string, spec: Spec): Bundle {
    const path = join(parent, id);
    // Two calls of some 50 us; by way of the thread pool a start waits for 5 ms, most of it for the event loop.
    mkdirSync(path, { mode: 0o700 });
    writeFileSync(join(path, "config.json"), JSON.stringify(spec), { mode: 0o600 });
    return new Bundle(path);
  }

  /** A path inside the bundle. */
  file(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
