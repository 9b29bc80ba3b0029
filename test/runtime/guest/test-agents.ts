import { Agent } from "../../../runtime/guest/agent/agent.ts";
import type { Image } from "../../../runtime/image/image.ts";
import { Machine } from "../../../runtime/machine.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { sharedImages } from "../image/guest.ts";

const tmpBytes = 64 * 1024 * 1024;
const readyTimeoutMs = 15_000;

/** Agents in sandboxes of the default image, on a machine with a directory of its own that goes with it. */
export class TestAgents implements AsyncDisposable {
  readonly machine: Machine;
  /** Where a file or directory of that name is. */
  readonly file: (name: string) => string;
  readonly #image: Image;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    machine: Machine,
    file: (name: string) => string,
    image: Image,
    owned: AsyncDisposableStack,
  ) {
    this.machine = machine;
    this.file = file;
    this.#image = image;
    this.#owned = owned;
  }

  static async open(): Promise<TestAgents> {
    await using stack = new AsyncDisposableStack();
    const directory = stack.use(await tempDir());
    const file = (name: string): string => directory.file(name);
    const machine = stack.use(await Machine.open({ stateDir: file("s"), runsc: "runsc" }));
    const image = await sharedImages().ensureDefault();
    return new TestAgents(machine, file, image, stack.move());
  }

  /** Starts one that is set up for the user `runlet`. */
  async start(): Promise<Agent> {
    const options = { image: this.#image, tmpBytes, overlayDirectory: this.file("") };
    const agent = await Agent.start(this.machine, options);
    await agent.ready(AbortSignal.timeout(readyTimeoutMs));
    await agent.configure({ env: this.#image.env, user: "runlet" });
    return agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
