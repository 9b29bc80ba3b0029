/** What Go prints first when it gives up, before it exits with 2. */
const crashed = /^(?:panic|fatal error): .{0,500}/m;

/** How much of its end is kept: the last lines, which tell how the process inside ended. */
const keptCharacters = 8192;

/**
 * What a sandbox notes about itself, as far as anybody asks. The guest can make a sandbox note without end, so
 * it comes through a pipe and next to nothing is kept.
 */
export class SandboxLog {
  #tail = "";
  #crash: string | undefined;

  /** The last lines. */
  get tail(): string {
    return this.#tail;
  }

  /** What the sandbox crashed with. */
  get crash(): string | undefined {
    return this.#crash;
  }

  write(chunk: Buffer): void {
    const text = this.#tail + chunk.toString("latin1");
    this.#crash ??= crashed.exec(text)?.[0];
    this.#tail = text.slice(-keptCharacters);
  }
}
