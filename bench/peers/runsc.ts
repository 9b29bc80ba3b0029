import { execa } from "execa";
import type { StdioOptions } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { containerSpec } from "../../runtime/container/container-spec.ts";
import { newContainerId } from "../../runtime/container/id.ts";
import { processesOf, signalProcess } from "../../runtime/container/proc.ts";
import { poll } from "../../runtime/deadline.ts";
import { runnerArgs } from "../../runtime/guest/program.ts";
import { Bundle } from "../../runtime/oci/bundle.ts";
import { globalArgs, runArgs } from "../../runtime/runsc/options.ts";
import { type Child, startChild } from "../harness/child.ts";
import { finishing } from "./finishing.ts";
import type { Isolator, IsolatorPeer, PeerResources, Timed } from "./peer.ts";
import { awaitRunner, callRunner } from "./runner.ts";

const binary = process.env["RUNLET_RUNSC"] || "runsc";
const tmpBytes = 64 * 1024 * 1024;
const channelStdio: StdioOptions = ["ignore", "pipe", "pipe", "pipe"];

/** `runsc run`, attached, by hand: the same runner, image, spec and flags as Runlet's, with nothing around it. */
export const runscPeer: IsolatorPeer = {
  name: "runsc",
  kind: "isolator",
  missing: async (signal) => {
    const { exitCode } = await execa(binary, ["--version"], {
      reject: false,
      cancelSignal: signal,
    });
    signal.throwIfAborted();
    return exitCode === 0 ? undefined : `${binary} cannot be started`;
  },
  open: async (resources) => await BareRunsc.open(resources),
};

class BareRunsc implements Isolator {
  readonly #root: string;
  readonly #runner: Bundle;
  readonly #program: Bundle;
  readonly #sleeper: Bundle;
  readonly #signal: AbortSignal;
  #host: { id: string; child: Child } | undefined;

  private constructor(root: string, bundles: readonly Bundle[], signal: AbortSignal) {
    const [runner, program, sleeper] = bundles;
    if (!runner || !program || !sleeper) throw new Error("A bundle is missing");
    this.#root = root;
    this.#runner = runner;
    this.#program = program;
    this.#sleeper = sleeper;
    this.#signal = signal;
  }

  static async open({ directory, image, signal }: PeerResources): Promise<BareRunsc> {
    const root = join(directory, "r");
    await mkdir(root, { recursive: true, mode: 0o700 });
    const common = { image: await image(), tmpBytes };
    const commands = { runner: runnerArgs("node"), program: ["true"], sleeper: ["sleep", "86400"] };
    const bundles = Object.entries(commands).map(([name, args]) => {
      return Bundle.create(directory, name, containerSpec({ ...common, args }));
    });
    return new BareRunsc(root, bundles, signal);
  }

  async answer(): Promise<Timed> {
    const startedAtMs = performance.now();
    await using child = await this.#run(this.#runner, { hasChannel: true });
    const channel = await callRunner(child.process.stdio[3], { signal: this.#signal });
    const answeredAtMs = performance.now();
    channel.close();
    await child.end(this.#signal);
    return { startedAtMs, answeredAtMs };
  }

  async program(): Promise<Timed> {
    return await finishing(async () => await this.#run(this.#program), this.#signal);
  }

  async inside(): Promise<Timed> {
    const id = await this.#runningContainer();
    const start = async (): Promise<Child> => {
      return await this.#spawn(["exec", "--cwd=/tmp", id, "true"], ["ignore", "pipe", "pipe"]);
    };
    return await finishing(start, this.#signal);
  }

  async idle(): Promise<AsyncDisposable & { readonly pid: number }> {
    await using stack = new AsyncDisposableStack();
    const child = stack.use(await this.#run(this.#runner, { hasChannel: true }));
    const channel = await awaitRunner(child.process.stdio[3], this.#signal);
    stack.defer(() => channel.close());
    const owned = stack.move();
    return { pid: child.pid, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
  }

  /** Every process of it names the root, so that none is missed, whatever was interrupted. */
  async [Symbol.asyncDispose](): Promise<void> {
    const gone = (): true | undefined => {
      const left = processesOf(this.#root);
      for (const pid of left) signalProcess(pid, "SIGKILL");
      return left.length === 0 ? true : undefined;
    };
    await poll("see runsc end", gone, { timeoutMs: 30_000 });
    await this.#host?.child[Symbol.asyncDispose]();
  }

  async #runningContainer(): Promise<string> {
    this.#host ??= await this.#startHost();
    return this.#host.id;
  }

  async #startHost(): Promise<{ id: string; child: Child }> {
    const id = newContainerId();
    const child = await this.#run(this.#sleeper, { id });
    const isUp = async (): Promise<true | undefined> => {
      const probe = await execa(binary, [...this.#globals(), "exec", id, "true"], {
        reject: false,
      });
      return probe.exitCode === 0 ? true : undefined;
    };
    await poll("see a container run", isUp, { timeoutMs: 30_000, signal: this.#signal });
    return { id, child };
  }

  async #run(
    bundle: Bundle,
    { id = newContainerId(), hasChannel = false }: { id?: string; hasChannel?: boolean } = {},
  ): Promise<Child> {
    const passFds = hasChannel ? [{ host: 3, guest: 3 }] : [];
    const stdio: StdioOptions = hasChannel ? channelStdio : ["ignore", "pipe", "pipe"];
    return await this.#spawn(runArgs(id, { bundle: bundle.path, passFds }), stdio);
  }

  async #spawn(args: readonly string[], stdio: StdioOptions): Promise<Child> {
    const child = await startChild(binary, { args: [...this.#globals(), ...args], stdio });
    child.process.stdout?.resume();
    child.process.stderr?.resume();
    return child;
  }

  #globals(): string[] {
    const platform = process.env["RUNLET_PLATFORM"];
    return globalArgs({
      root: this.#root,
      log: "/dev/null",
      network: "none",
      overlay2: "none",
      ignoreCgroups: true,
      ...(platform && { platform }),
    });
  }
}
