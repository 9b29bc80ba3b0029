import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";

/** A node process that runs a module's text, and is killed with SIGKILL when it is disposed. */
export class ChildProgram implements AsyncDisposable {
  readonly #process: ChildProcessByStdio<null, Readable, null>;
  readonly #exited: Promise<unknown>;

  constructor(source: string, args: readonly string[]) {
    this.#process = spawn(
      process.execPath,
      ["--input-type=module-typescript", "--eval", source, "--", ...args],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    this.#exited = once(this.#process, "exit");
    this.#process.stdout.setEncoding("utf8");
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Its output, piece by piece, to its end. */
  get output(): AsyncIterable<string> {
    return this.#process.stdout;
  }

  /** Kills the process with SIGKILL, the end that no process can prepare for. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#exited;
  }
}

/** The URL of a module of the store, for a child to import. */
export function storeModule(name: string): string {
  return new URL(`../../store/${name}`, import.meta.url).href;
}
