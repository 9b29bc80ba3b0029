import { ApiError } from "../client/errors.ts";
import type { Sandbox } from "../client/sandbox.ts";

/** Signals that end us, or that a terminal sends at a key: the command gets them in our stead. */
const passedOn = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

interface ForegroundOptions {
  /** Whether it reads our standard input. */
  stdin: boolean;
  /** Aborted where something cannot be passed on to a command that still runs. */
  failure: AbortController;
}

/** Stands for a command of a sandbox here: what we are sent, input and signals, goes to it until this is disposed. */
export class Foreground implements Disposable {
  readonly #box: Sandbox;
  readonly #id: string;
  readonly #options: ForegroundOptions;
  #isOver = false;

  constructor(box: Sandbox, id: string, options: ForegroundOptions) {
    this.#box = box;
    this.#id = id;
    this.#options = options;
    for (const name of passedOn) process.on(name, this.#pass);
    if (options.stdin) void this.#attempt(this.#feed());
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const name of passedOn) process.off(name, this.#pass);
    // Whoever goes on reading it keeps us from ending.
    if (this.#options.stdin) process.stdin.destroy();
  }

  readonly #pass = (name: NodeJS.Signals): void => {
    void this.#attempt(this.#box.commands.signal(this.#id, name));
  };

  async #feed(): Promise<void> {
    for await (const chunk of process.stdin) {
      await this.#box.commands.write(this.#id, chunk as Uint8Array);
    }
    await this.#box.commands.closeInput(this.#id);
  }

  /** One that has ended, or has closed its input, takes nothing any more, which it may. */
  async #attempt(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (this.#isOver || (error instanceof ApiError && error.code === "not_found")) return;
      const isRunning = await this.#box.get().then(
        ({ state }) => state === "running",
        () => false,
      );
      if (!isRunning && !this.#isOver) this.#options.failure.abort(error);
    }
  }
}
