import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CgroupLimits } from "../../../runtime/container/cgroup/limits.ts";
import type { Init } from "../../../runtime/container/init.ts";
import { poll } from "../../../runtime/deadline.ts";
import { Machine } from "../../../runtime/machine.ts";
import { buildSpec } from "../../../runtime/oci/spec.ts";
import {
  withEnv,
  withProcess,
  withTmpfs,
  withWritableRoot,
} from "../../../runtime/oci/spec-options.ts";
import { leftoversOf } from "../../support/sandboxes.ts";
import { type TempDir, tempDir } from "../../support/temp-dir.ts";
import { sharedImages } from "../image/guest.ts";
import { patience } from "./rig.ts";

/** A container with the program of fixtures/counter.py in it, and a line each way over its channel. */
export class Counter implements AsyncDisposable {
  readonly init: Init;
  readonly #lines: AsyncIterator<string>;

  constructor(init: Init) {
    this.init = init;
    assert.ok(init.channel);
    this.#lines = createInterface({ input: init.channel })[Symbol.asyncIterator]();
  }

  /** Sends a line and waits for the answer. */
  async ask(line: string): Promise<string> {
    this.init.channel?.write(`${line}\n`);
    return await this.hear();
  }

  async hear(): Promise<string> {
    let said: string | undefined;
    void this.#lines.next().then(({ value }) => (said = String(value)));
    return await poll("hear the counter", () => said, patience);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.init[Symbol.asyncDispose]();
  }
}

/** A machine with a directory for checkpoints. Disposing it ends what is left. */
export class Bench implements AsyncDisposable {
  readonly machine: Machine;
  readonly #dir: TempDir;

  private constructor(machine: Machine, dir: TempDir) {
    this.machine = machine;
    this.#dir = dir;
  }

  static async open(): Promise<Bench> {
    const dir = await tempDir();
    const machine = await Machine.open({ stateDir: dir.file("s"), runsc: "runsc" });
    return new Bench(machine, dir);
  }

  file(name: string): string {
    return this.#dir.file(name);
  }

  /** A new counter that is ready. */
  async counter(limits?: CgroupLimits): Promise<Counter> {
    const image = await sharedImages().ensureDefault();
    const program = await readFile(join(import.meta.dirname, "../../fixtures/counter.py"), "utf8");
    const spec = buildSpec(
      image.root,
      withWritableRoot(this.#dir.path),
      withTmpfs("/tmp", 64 * 1024 * 1024),
      withEnv(image.env),
      withProcess({ args: ["python3", "-c", program], user: { uid: 0, gid: 0 } }),
    );
    const stdio = { kind: "channel", stderr: true } as const;
    const init = this.machine.container(spec, { stdio, ...(limits && { limits }) });
    const counter = await running(init);
    assert.equal(await counter.hear(), "ready");
    return counter;
  }

  /** A counter that goes on from a checkpoint. */
  async restored(checkpoint: string, limits?: CgroupLimits): Promise<Counter> {
    return await running(await this.restoring(checkpoint, limits));
  }

  /** The same before it is created. */
  async restoring(checkpoint: string, limits?: CgroupLimits): Promise<Init> {
    const stdio = { kind: "channel", stderr: true } as const;
    return await this.machine.restored(this.file(checkpoint), {
      stdio,
      ...(limits && { limits }),
    });
  }

  leftovers(): string[] {
    return leftoversOf(this.#dir.file("s"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}

async function running(init: Init): Promise<Counter> {
  try {
    await init.create();
    await init.start();
    return new Counter(init);
  } catch (error) {
    await init[Symbol.asyncDispose]();
    throw error;
  }
}
