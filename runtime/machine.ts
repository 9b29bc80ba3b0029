import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { newContainerId } from "./container/id.ts";
import { Init } from "./container/init.ts";
import { PipeStock } from "./container/stdio/pipe-stock.ts";
import type { StdioRequest } from "./container/stdio/stdio.ts";
import { sweep } from "./container/sweep.ts";
import type { Spec } from "./oci/spec.ts";
import { Runsc } from "./runsc/runsc.ts";

export interface MachineOptions {
  /** Directory for what lives as long as this process. Keep its path short: sockets live in it. */
  stateDir: string;
  /** Path or name of the runsc binary. */
  runsc: string;
  platform?: string | undefined;
}

/** What containers on this host are made with: runsc under a root of its own, bundles, pipes. */
export class Machine implements AsyncDisposable {
  readonly runsc: Runsc;
  readonly #bundles: string;
  readonly #pipes: PipeStock;

  private constructor(runsc: Runsc, bundles: string, pipes: PipeStock) {
    this.runsc = runsc;
    this.#bundles = bundles;
    this.#pipes = pipes;
  }

  /** Opens the machine and removes every container that an earlier process left under the same directory. */
  static async open(options: MachineOptions): Promise<Machine> {
    const { stateDir, platform } = options;
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const runsc = new Runsc({
      binary: options.runsc,
      root: stateDir,
      ...(platform !== undefined && { flags: { platform } }),
    });
    const bundles = join(stateDir, "bundles");
    await mkdir(bundles, { recursive: true, mode: 0o700 });
    await sweep({ runsc, bundles, concurrency: 8 });
    return new Machine(runsc, bundles, await PipeStock.open(join(stateDir, "pipes")));
  }

  /** A container that is not created yet; attached, so that its end is never missed. */
  container(spec: Spec, options: { stdio: StdioRequest; channel?: boolean }): Init {
    return new Init({
      id: newContainerId(),
      runsc: this.runsc,
      spec,
      bundles: this.#bundles,
      pipes: this.#pipes,
      launch: "attached",
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pipes[Symbol.asyncDispose]();
  }
}
