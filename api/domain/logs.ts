import type { Follower } from "./follower.ts";
import type { Functions } from "./functions.ts";
import type { Invocations } from "./invocations.ts";
import type { OutputFeed } from "./output-feed.ts";

export interface LogsOptions {
  functions: Functions;
  invocations: Invocations;
  feed: OutputFeed;
}

/** Output as it comes, from now on; what was written before is in the records. */
export class Logs {
  readonly #options: LogsOptions;

  constructor(options: LogsOptions) {
    this.#options = options;
  }

  /** Follows every invocation of a function. @throws `not_found`, `resource_exhausted`. */
  followFunction(name: string): Follower {
    this.#options.functions.find(name);
    return this.#options.feed.follow({ functionName: name });
  }

  /** Follows one invocation to its end, of which alone it tells where that has come. @throws `not_found`, `resource_exhausted`. */
  followInvocation(id: string): Follower {
    const { invocations, feed } = this.#options;
    if (invocations.isRunning(id)) return feed.follow({ invocationId: id });
    const { status } = invocations.get(id);
    const follower = feed.follow({ invocationId: id });
    follower.tellEnd({ id }, status);
    return follower;
  }
}
