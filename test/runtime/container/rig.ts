import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processesOf, signalProcess } from "../../../runtime/container/proc.ts";
import { newContainerId } from "../../../runtime/container/id.ts";
import { Init } from "../../../runtime/container/init.ts";
import type { InitOptions } from "../../../runtime/container/init-options.ts";
import { PipeStock } from "../../../runtime/container/stdio/pipe-stock.ts";
import type { Output } from "../../../runtime/container/stdio/stdio.ts";
import { poll } from "../../../runtime/deadline.ts";
import { withProcess, withRootDirectory } from "../../../runtime/oci/spec-options.ts";
import { buildSpec } from "../../../runtime/oci/spec.ts";
import { Runsc } from "../../../runtime/runsc/runsc.ts";

/** What the fake does at one call; see test/fixtures/fake-runsc.mjs. */
export interface Step {
  state?: string;
  error?: string;
  exit?: number;
  /** Raw wait status of an attached command. */
  status?: number;
  /** Answer of `wait`. */
  exitStatus?: number;
  stdout?: string;
  hang?: boolean;
  /** Waits for a file, or makes one. */
  until?: string;
  touch?: string;
  pid?: number;
  internalPid?: number;
  sandbox?: boolean;
  hold?: { until?: string; text?: string };
}

export type Plan = Record<string, Step | Step[]>;

export interface Call {
  command: string;
  args: string[];
  pid: number;
}

/** A directory with a runsc, real or fake, and all that Inits need; disposing it ends what is left. */
export class Rig implements AsyncDisposable {
  readonly directory: string;
  readonly runsc: Runsc;
  readonly pipes: PipeStock;
  readonly warnings: string[] = [];

  private constructor(directory: string, runsc: Runsc, pipes: PipeStock) {
    this.directory = directory;
    this.runsc = runsc;
    this.pipes = pipes;
  }

  static async real(): Promise<Rig> {
    const directory = await newDirectory();
    return await Rig.#build(directory, new Runsc({ root: directory }));
  }

  static async fake(plan: Plan = {}): Promise<Rig> {
    const directory = await newDirectory();
    const binary = join(directory, "runsc");
    const script = join(import.meta.dirname, "../../fixtures/fake-runsc.mjs");
    await writeFile(binary, `#!/bin/sh\nexec '${process.execPath}' '${script}' "$@"\n`);
    await chmod(binary, 0o755);
    await writeFile(join(directory, "plan.json"), JSON.stringify(plan));
    return await Rig.#build(directory, new Runsc({ binary, root: directory }));
  }

  static async #build(directory: string, runsc: Runsc): Promise<Rig> {
    await mkdir(join(directory, "bundles"));
    return new Rig(directory, runsc, await PipeStock.open(join(directory, "pipes"), { batch: 8 }));
  }

  get bundles(): string {
    return join(this.directory, "bundles");
  }

  /** An Init that runs `script` in a shell of the host's file system. */
  init(script: string, options: Partial<InitOptions> = {}): Init {
    const args = ["/bin/sh", "-c", script];
    return new Init({
      id: newContainerId(),
      runsc: this.runsc,
      spec: buildSpec(withRootDirectory("/"), withProcess({ args })),
      bundles: this.bundles,
      stdio: { kind: "pipe", stdout: true, stderr: true },
      pipes: this.pipes,
      launch: "attached",
      log: { warn: (...all: unknown[]) => void this.warnings.push(JSON.stringify(all)) },
      ...options,
    });
  }

  /** A detached Init that is running. */
  async detached(options: Partial<InitOptions> = {}): Promise<Init> {
    const init = this.init("true", { launch: "detached", ...options });
    await init.create();
    await init.start();
    return init;
  }

  /** An attached Init that is running. */
  async started(script: string, options: Partial<InitOptions> = {}): Promise<Init> {
    const init = this.init(script, options);
    await init.create();
    await init.start();
    return init;
  }

  touch(name: string): void {
    writeFileSync(join(this.directory, name), "");
  }

  calls(): Call[] {
    const file = join(this.directory, "calls.jsonl");
    if (!existsSync(file)) return [];
    // The last piece is empty, or a line that is being written at this moment.
    const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Call);
  }

  /** The subcommands that were called, in order. */
  commands(): string[] {
    return this.calls().map(({ command }) => command);
  }

  async called(command: string): Promise<void> {
    await poll(`see ${command}`, () => this.commands().includes(command) || undefined, patience);
  }

  /** What of runsc and of bundles is there now. */
  async leftovers(): Promise<string[]> {
    const places = ["containers", "logs", "bundles"];
    const names = await Promise.all(places.map((place) => readdir(join(this.directory, place))));
    return [...names.flat(), ...processesOf(this.runsc.root).map(String)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of processesOf(this.runsc.root)) signalProcess(pid, "SIGKILL");
    await this.pipes[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}

export const patience = { timeoutMs: 20_000 };

/** Collects an output as text. */
export function collect(output: Output | undefined): () => string {
  const chunks: Buffer[] = [];
  output?.attach((chunk) => void chunks.push(Buffer.from(chunk)));
  return () => Buffer.concat(chunks).toString();
}

async function newDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "runlet-test-"));
}
