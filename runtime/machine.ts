import { createHash } from "node:crypto";
import { chmod, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Cgroups, type LimitName } from "./container/cgroup/cgroups.ts";
import type { CgroupLimits } from "./container/cgroup/limits.ts";
import { assertRestorable, specOfCheckpoint } from "./container/checkpoint.ts";
import { type Deadlines, defaultDeadlines } from "./container/deadlines.ts";
import { newContainerId } from "./container/id.ts";
import { Init } from "./container/init.ts";
import type { InitOptions } from "./container/init-options.ts";
import { Leftovers, type Removal } from "./container/leftovers.ts";
import { PipeStock } from "./container/stdio/pipe-stock.ts";
import type { StdioRequest } from "./container/stdio/stdio.ts";
import { messageOf } from "./errors.ts";
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
  /** How long a container may stand still to be saved, and at the most one may take to go on from that. */
  snapshotTimeoutMs?: number;
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
  readonly #deadlines: Deadlines;
  /** For containers that have more than their loopback; the spec names the one it is in. */
  readonly networks: Networks;
  /** A directory for what lives as long as one container or less. */
  readonly tasks: string;
  /** What has become of what an earlier process left under the same directory, once that is known. */
  readonly removal: Promise<Removal>;

  private constructor(parts: {
    runsc: Runsc;
    bundles: string;
    pipes: PipeStock;
    cgroups: Cgroups;
    networks: Networks;
    tasks: string;
    removal: Promise<Removal>;
    deadlines: Deadlines;
  }) {
    this.runsc = parts.runsc;
    this.#bundles = parts.bundles;
    this.#pipes = parts.pipes;
    this.#cgroups = parts.cgroups;
    this.networks = parts.networks;
    this.tasks = parts.tasks;
    this.removal = parts.removal;
    this.#deadlines = parts.deadlines;
  }

  /**
   * Opens the machine. Whatever an earlier process left under the same directory is killed before, and removed
   * behind.
   */
  static async open(options: MachineOptions): Promise<Machine> {
    const { stateDir, platform } = options;
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const runsc = new Runsc({
      binary: options.runsc,
      root: stateDir,
      ...(platform !== undefined && { flags: { platform } }),
    });
    const [bundles = "", tasks = ""] = ["bundles", "tasks"].map((name) => join(stateDir, name));
    for (const each of [bundles, tasks]) await mkdir(each, { recursive: true, mode: 0o700 });
    await using stack = new AsyncDisposableStack();
    const name = ownName(stateDir);
    const cgroups = stack.use(await Cgroups.open({ name }));
    const aside = join(stateDir, "left");
    const found = { runsc, cgroups, bundles, others: [tasks], directory: aside };
    const leftovers = await Leftovers.putAside(found);
    // What containers see of it they reach by its full path alone.
    await chmod(tasks, 0o711);
    const directory = join(stateDir, "networks");
    const networks = stack.use(new Networks({ ...options.network, name, directory }));
    const pipes = await PipeStock.open(join(stateDir, "pipes"));
    const { checkpointMs, startMs } = defaultDeadlines;
    const { snapshotTimeoutMs = checkpointMs } = options;
    const deadlines = {
      ...defaultDeadlines,
      checkpointMs: snapshotTimeoutMs,
      startMs: Math.min(startMs, snapshotTimeoutMs),
    };
    const removal = removeAll(leftovers, networks);
    stack.move();
    return new Machine({ runsc, bundles, tasks, pipes, cgroups, networks, removal, deadlines });
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
      deadlines: this.#deadlines,
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.removal;
    await using stack = new AsyncDisposableStack();
    for (const part of [this.#cgroups, this.networks, this.#pipes]) stack.use(part);
  }
}

/** Containers of an earlier process, and what they were in; never rejects. */
async function removeAll(leftovers: Leftovers, networks: Networks): Promise<Removal> {
  const problems: string[] = [];
  const [removal] = await Promise.all([
    leftovers.remove(),
    networks.sweep().catch((error: unknown) => void problems.push(messageOf(error))),
  ]);
  return { ...removal, problems: [...removal.problems, ...problems] };
}

/** The same at every start in a directory; it can be read whose it is. */
function ownName(stateDir: string): string {
  const path = resolve(stateDir);
  const digest = createHash("sha256").update(path).digest("hex").slice(0, 8);
  return `runlet-${digest}${path.replaceAll(/[^\w.-]/g, "-").slice(0, 160)}`;
}
