import { execa } from "execa";
import { randomBytes } from "node:crypto";
import { type Child, firstLine, startChild } from "../harness/child.ts";
import { script } from "../harness/workload.ts";
import { finishing } from "./finishing.ts";
import { rootDirectory } from "./root-directory.ts";
import { reasonOf } from "./reason.ts";
import type { Isolator, PeerResources, Timed } from "./peer.ts";

export interface EngineOptions {
  /** The command line client: docker or podman. */
  client: string;
  /** The OCI runtime that it is told to use; its own by default. */
  runtime?: string;
}

const importTimeoutMs = 10 * 60_000;

/**
 * A container engine that is driven by its command line, as its users do: `run --rm` with an image that is
 * imported from the files of Runlet's default image, and the same restrictions.
 */
export class Engine implements Isolator {
  readonly #options: EngineOptions;
  readonly #signal: AbortSignal;
  /** Marks all that this run makes, so that it is found again. */
  readonly #label = `runlet-bench-${randomBytes(4).toString("hex")}`;
  #host: string | undefined;
  /** A container whose root may be written to. */
  #shelf: string | undefined;
  /** Those of them that stand still. */
  readonly #paused: string[] = [];

  private constructor(options: EngineOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Imports the image and tries it; on failure nothing of it is left. */
  static async open(options: EngineOptions, resources: PeerResources): Promise<Engine> {
    const engine = new Engine(options, resources.signal);
    try {
      await engine.#import(resources);
      // One that cannot run anything here is told of now, not in the middle of a bench.
      await engine.#call(...engine.#runArgs("true"));
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
    return engine;
  }

  async answer(): Promise<Timed> {
    const startedAtMs = performance.now();
    await using child = await this.#start(this.#runArgs("node", "-e", script));
    await firstLine(child, this.#signal);
    const answeredAtMs = performance.now();
    await child.end(this.#signal);
    return { startedAtMs, answeredAtMs };
  }

  async program(): Promise<Timed> {
    return await finishing(async () => await this.#start(this.#runArgs("true")), this.#signal);
  }

  async inside(): Promise<Timed> {
    this.#host ??= await this.#call("run", "--detach", ...this.#flags(), "sleep", "86400");
    const host = this.#host;
    return await finishing(async () => await this.#start(["exec", host, "true"]), this.#signal);
  }

  async copy(file: string): Promise<{ up: Timed; down: Timed }> {
    const writable = this.#flags().filter((flag) => flag !== "--read-only");
    this.#shelf ??= await this.#call("run", "--detach", ...writable, "sleep", "86400");
    const inside = `${this.#shelf}:/var/tmp/file`;
    const up = await this.#timed("cp", file, inside);
    return { up, down: await this.#timed("cp", inside, `${file}.back`) };
  }

  async awake(): Promise<AsyncDisposable> {
    if (this.#paused.length > 0) await this.#call("unpause", ...this.#paused.splice(0));
    return {
      [Symbol.asyncDispose]: async () => {
        this.#paused.push(...[this.#host, this.#shelf].filter((id) => id !== undefined));
        if (this.#paused.length > 0) await this.#call("pause", ...this.#paused);
      },
    };
  }

  async #timed(...args: readonly string[]): Promise<Timed> {
    const startedAtMs = performance.now();
    await this.#call(...args);
    return { startedAtMs, answeredAtMs: performance.now() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { client } = this.#options;
    const call = { reject: false, timeout: 60_000 } as const;
    const filter = `label=${this.#label}`;
    if (this.#paused.length > 0) await execa(client, ["unpause", ...this.#paused], call);
    const { stdout } = await execa(client, ["ps", "--all", "--quiet", "--filter", filter], call);
    const left = (stdout ?? "").split("\n").filter((id) => id !== "");
    if (left.length > 0) await execa(client, ["rm", "--force", ...left], call);
    await execa(client, ["image", "rm", "--force", this.#label], call);
  }

  async #import({ directory, image, progress }: PeerResources): Promise<void> {
    const { client } = this.#options;
    progress(`importing the image into ${client}`);
    await using root = await rootDirectory(await image(), directory, this.#signal);
    const call = { cancelSignal: this.#signal, timeout: importTimeoutMs } as const;
    const change = "ENV PATH=/usr/local/bin:/usr/bin:/bin";
    await execa("tar", ["-C", root.path, "-c", "."], { ...call, buffer: false }).pipe(
      client,
      ["import", "--change", change, "-", this.#label],
      call,
    );
  }

  async #start(args: readonly string[]): Promise<Child> {
    const { client } = this.#options;
    const child = await startChild(client, { args, stdio: ["ignore", "pipe", "pipe"] });
    child.process.stdout?.resume();
    child.process.stderr?.resume();
    return child;
  }

  async #call(...args: readonly string[]): Promise<string> {
    const { client } = this.#options;
    const options = { reject: false, cancelSignal: this.#signal, timeout: 60_000 } as const;
    const result = await execa(client, args, options);
    this.#signal.throwIfAborted();
    if (result.exitCode === 0) return result.stdout;
    throw new Error(reasonOf(client, result));
  }

  #runArgs(...command: readonly string[]): string[] {
    return ["run", "--rm", ...this.#flags(), ...command];
  }

  #flags(): string[] {
    const { runtime } = this.#options;
    return [
      "--network=none",
      "--read-only",
      "--user=1000:1000",
      "--cap-drop=ALL",
      `--label=${this.#label}`,
      ...(runtime === undefined ? [] : [`--runtime=${runtime}`]),
      this.#label,
    ];
  }
}
