import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Cgroups, type LimitName } from "./container/cgroup/cgroups.ts";
import type { CgroupLimits } from "./container/cgroup/limits.ts";
import { assertRestorable, specOfCheckpoint } from "./container/checkpoint.ts";
import { newContainerId } from "./container/id.ts";
import { Init } from "./container/init.ts";
import type { InitOptions } from "./container/init-options.ts";
import { PipeStock } from "./container/stdio/pipe-stock.ts";
import type { StdioRequest } from "./container/stdio/stdio.ts";
import { sweep } from "./container/sweep.ts";
import { Networks, type NetworksOptions } from "./network/networks.ts";
import type { Spec } from "./oci/spec.ts";
import { Runsc } from "./runsc/runsc.ts";

export interface MachineOptions {
  /** Directory for what lives as long as this process. Keep its path short: sockets live in it. */
  stateDir: string;
  /** Path or name of the runsc binary. */
  runsc: string;
  platform?: string | undefined;
  network?: Pick<NetworksOptions, "range" | "dnsServers"> | undefined;
}

export interface MachineContainerOptions {
  stdio: StdioRequest;
  channel?: boolean;
  /** `open` for one that may connect to the host's sockets in what is mounted for it. */
  hostUds?: "open";
  /** What the container may use from its first moment on. */
  limits?: CgroupLimits;
}

/** What containers on this host are made with: runsc under a root of its own, bundles, pipes, cgroups. */
export class Machine implements AsyncDisposable {
  readonly runsc: Runsc;
  readonly #bundles: string;
  readonly #pipes: PipeStock;
  readonly #cgroups: Cgroups;
  /** For containers that have more than their loopback; the spec names the one it is in. */
  readonly networks: Networks;

  private constructor(parts: {
    runsc: Runsc;
    bundles: string;
    pipes: PipeStock;
    cgroups: Cgroups;
    networks: Networks;
  }) {
    this.runsc = parts.runsc;
    this.#bundles = parts.bundles;
    this.#pipes = parts.pipes;
    this.#cgroups = parts.cgroups;
    this.networks = parts.networks;
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
    await using stack = new AsyncDisposableStack();
    const name = ownName(stateDir);
    const cgroups = stack.use(await Cgroups.open({ name }));
    await sweep({ runsc, bundles, cgroups, concurrency: 8 });
    // What containers were in goes when they are gone.
    const directory = join(stateDir, "networks");
    const networks = stack.use(await Networks.open({ ...options.network, name, directory }));
    const pipes = await PipeStock.open(join(stateDir, "pipes"));
    stack.move();
    return new Machine({ runsc, bundles, pipes, cgroups, networks });
  }

  /** The limits that this host cannot enforce. */
  get missingLimits(): readonly LimitName[] {
    return this.#cgroups.missing;
  }

  /** A container that is not created yet; attached, so that its end is never missed. */
  container(spec: Spec, options: MachineContainerOptions): Init {
    return this.#init({ spec, ...options });
  }

  /**
   * A container that goes on, under an id of its own, where the one in a checkpoint was; not created yet. Any
   * number may go on from one checkpoint.
   * @throws `not_found` if there is no checkpoint, `failed_precondition` if its image is gone.
   */
  async restored(
    checkpoint: string,
    options: Pick<MachineContainerOptions, "stdio" | "limits">,
  ): Promise<Init> {
    const spec = await specOfCheckpoint(checkpoint);
    await assertRestorable(spec);
    return this.#init({ spec, restoreFrom: checkpoint, ...options });
  }

  #init({
    limits,
    ...options
  }: MachineContainerOptions & Pick<InitOptions, "spec" | "restoreFrom">): Init {
    const id = newContainerId();
    return new Init({
      id,
      cgroup: this.#cgroups.of(id, limits),
      runsc: this.runsc,
      bundles: this.#bundles,
      pipes: this.#pipes,
      launch: "attached",
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    for (const part of [this.#cgroups, this.networks, this.#pipes]) stack.use(part);
  }
}

/** The same at every start in a directory; it can be read whose it is. */
function ownName(stateDir: string): string {
  const path = resolve(stateDir);
  const digest = createHash("sha256").update(path).digest("hex").slice(0, 8);
  return `runlet-${digest}${path.replaceAll(/[^\w.-]/g, "-").slice(0, 160)}`;
}
