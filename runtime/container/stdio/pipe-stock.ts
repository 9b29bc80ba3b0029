import { execa } from "execa";
import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, RunletError } from "../../errors.ts";

/** A pipe's two ends: ours, which never blocks, and the one for a child. Both are the taker's to close. */
export interface Pipe {
  readonly host: number;
  readonly child: number;
}

/** Which way a pipe goes, seen from the host. */
export type PipeDirection = "read" | "write";

/**
 * A stock of real pipes. The streams that Node gives a child are sockets, and a guest cannot open those again
 * by a name such as /dev/stderr. Node has no pipe(2), so these are FIFOs, made by the batch and without a
 * name from the moment they are opened.
 */
export class PipeStock implements AsyncDisposable {
  readonly #directory: string;
  readonly #batch: number;
  readonly #names: string[] = [];
  #made = 0;
  #refill: Promise<void> | undefined;

  private constructor(directory: string, batch: number) {
    this.#directory = directory;
    this.#batch = batch;
  }

  /** Opens a stock in `directory`, which is its own: whatever is there goes. */
  static async open(directory: string, options: { batch?: number } = {}): Promise<PipeStock> {
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new PipeStock(directory, options.batch ?? 64);
  }

  /**
   * Takes one pipe.
   * @throws `unavailable` if no pipe can be made, as when the directory is gone.
   */
  async take(direction: PipeDirection): Promise<Pipe> {
    while (this.#names.length === 0) {
      this.#refill ??= this.#fill();
      await this.#refill;
    }
    const path = join(this.#directory, this.#names.pop() as string);
    try {
      return direction === "read" ? openForReading(path) : openForWriting(path);
    } catch (cause) {
      throw cannotMake(cause);
    }
  }

  async #fill(): Promise<void> {
    const names = Array.from({ length: this.#batch }, () => `p${++this.#made}`);
    try {
      // Guests run as a user of their own and open the pipe by its /proc name; the directory keeps others out.
      const options = { cwd: this.#directory, stdio: "ignore", timeout: 10_000 } as const;
      await execa("mkfifo", ["-m", "666", ...names], options);
      this.#names.push(...names);
    } catch (cause) {
      throw cannotMake(cause);
    } finally {
      this.#refill = undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#refill?.catch(() => undefined);
    this.#names.length = 0;
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** The order matters: a FIFO opens for writing only once somebody reads it. */
function openForReading(path: string): Pipe {
  const host = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return openChildEnd(path, host, constants.O_WRONLY);
}

function openForWriting(path: string): Pipe {
  // Open for both keeps either of the two real ends from waiting for the other.
  const both = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const host = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    return openChildEnd(path, host, constants.O_RDONLY);
  } finally {
    closeSync(both);
  }
}

function openChildEnd(path: string, host: number, flags: number): Pipe {
  try {
    const child = openSync(path, flags);
    unlinkSync(path);
    return { host, child };
  } catch (error) {
    closeSync(host);
    throw error;
  }
}

function cannotMake(cause: unknown): RunletError {
  return new RunletError("unavailable", `Cannot make a pipe: ${messageOf(cause)}`, { cause });
}
