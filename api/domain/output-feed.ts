import type { OutputListener } from "../../runtime/container/stdio/capture.ts";
import type { Invocation } from "../schema/invocation.ts";
import { RunletError } from "./errors.ts";
import { type FollowedPart, type FollowedRun, Follower } from "./follower.ts";

/** How many may follow at once, since each may have a megabyte waiting. */
const maxFollowers = 100;

/** Hands the output of running invocations to those who follow it. Disposing it ends them all. */
export class OutputFeed implements Disposable {
  readonly #followers = new Set<Follower>();
  #isClosed = false;

  /** Adds a follower; dispose it to end it. @throws `resource_exhausted`. */
  follow(part: FollowedPart): Follower {
    if (this.#followers.size >= maxFollowers) {
      throw new RunletError(
        "resource_exhausted",
        `Cannot follow: ${maxFollowers} follow output already. Try again when one has ended`,
      );
    }
    const follower = new Follower(part, (ended) => this.#followers.delete(ended));
    if (this.#isClosed) follower[Symbol.dispose]();
    else this.#followers.add(follower);
    return follower;
  }

  /** Tells the followers of a run what it writes. */
  publish(run: FollowedRun, ...output: Parameters<OutputListener>): void {
    for (const follower of this.#followers) follower.tell(run, ...output);
  }

  /** Tells the followers of a run how it ended. */
  end(run: FollowedRun, status: Invocation["status"]): void {
    for (const follower of this.#followers) follower.tellEnd(run, status);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const follower of this.#followers) follower[Symbol.dispose]();
  }
}
