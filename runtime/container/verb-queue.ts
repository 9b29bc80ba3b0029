import PQueue from "p-queue";
import { untilAborted } from "../deadline.ts";

/** Does the verbs of one process one after another. What never ends by itself must not be put in. */
export class VerbQueue {
  readonly #queue = new PQueue({ concurrency: 1 });

  /** Waits for its turn and does `work`; an abort of `signal` frees the caller in either phase. */
  async add<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const done = this.#queue.add(async () => {
      signal?.throwIfAborted();
      return await work();
    });
    return await untilAborted(done, signal);
  }
}
