import type { Client } from "../../client/client.ts";
import type { FollowEvent } from "../../schema/follow.ts";
import type { Report } from "./report.ts";

/** What all invocations of a function write, told as it comes until the client's signal ends it. */
export class LiveOutput {
  /** Resolves where it ends. @throws where it breaks off. */
  readonly done: Promise<void>;
  readonly #report: Report;
  /** The invocations that have ended, until one was asked for. */
  #ended: Set<string> | undefined = new Set();
  #onEnd: (() => void) | undefined;

  private constructor(events: AsyncIterable<FollowEvent>, report: Report) {
    this.#report = report;
    this.done = this.#tell(events);
  }

  /** Resolves once the server tells of all that is written from now on. @throws ApiError or ConnectionError. */
  static async follow(client: Client, name: string, report: Report): Promise<LiveOutput> {
    const opened = Promise.withResolvers<void>();
    const events = client.followFunction(name, { onOpen: opened.resolve });
    const output = new LiveOutput(events, report);
    await Promise.race([opened.promise, output.done]);
    return output;
  }

  /** Resolves once all is told that an invocation wrote, or no more can be; for one invocation only. */
  async toldOf(id: string): Promise<void> {
    while (this.#ended?.has(id) === false) {
      const next = new Promise<void>((resolve) => {
        this.#onEnd = resolve;
      });
      await Promise.race([next, this.#over()]);
    }
    this.#ended = undefined;
  }

  async #over(): Promise<void> {
    await this.done;
    this.#ended = undefined;
  }

  async #tell(events: AsyncIterable<FollowEvent>): Promise<void> {
    for await (const event of events) {
      if (event.type === "output") this.#report.wrote(event);
      else if (event.type === "cut") this.#report.failed(new Error(event.message));
      else {
        this.#ended?.add(event.invocationId);
        this.#onEnd?.();
      }
    }
  }
}
