import type { Init } from "../container/init.ts";
import { RunletError } from "../errors.ts";
import type { Channel, Received } from "./channel.ts";
import type { GuestFeed } from "./guest-feed.ts";
import { streamLimits } from "./messages.ts";
import { type Reply, unexpected } from "./reply.ts";

const { windowBytes, chunkCostBytes } = streamLimits;

/** Credit is given back in lumps, so that small chunks do not cost a message each. */
const creditLumpBytes = windowBytes / 2;

/**
 * The pieces of one answer as its guest writes them. What was taken with {@link next} and is not yet given to
 * {@link release} is never more than the window.
 */
export class GuestStream {
  readonly #init: Init;
  readonly #channel: Channel;
  readonly #id: string;
  readonly #feed: GuestFeed | undefined;
  #creditBytes = windowBytes;
  #releasedBytes = 0;

  /** `feed` is the event, where that is still being given to the guest. */
  constructor(init: Init, channel: Channel, id: string, feed?: GuestFeed) {
    this.#init = init;
    this.#channel = channel;
    this.#id = id;
    this.#feed = feed;
  }

  /** Whether the guest has to wait until more is released. */
  get isHeldBack(): boolean {
    return this.#creditBytes <= chunkCostBytes;
  }

  /**
   * The next piece, undefined at the end of the answer. One caller at a time.
   * @throws `protocol_violation` if the guest says anything else, or more than it may.
   */
  async next(): Promise<Reply<Buffer | undefined>> {
    const received = await this.#received();
    if (received === undefined) return { kind: "ended", exit: await this.#init.wait() };
    const { message, body } = received;
    if (!("id" in message) || message.id !== this.#id) throw unexpected("start", message);
    if (message.type === "chunk") {
      this.#spend(body.length);
      return { kind: "answered", answer: body };
    }
    if (message.type !== "end" && message.type !== "error") throw unexpected("start", message);
    this.#init.stdout?.drain();
    this.#init.stderr?.drain();
    if (message.type === "error") return { kind: "threw", error: message.error };
    return { kind: "answered", answer: undefined };
  }

  /** Lets the guest write as much again as this piece, which has left the host. */
  release(piece: Uint8Array): void {
    this.#releasedBytes += piece.byteLength + chunkCostBytes;
    if (this.#releasedBytes < creditLumpBytes) return;
    const bytes = this.#releasedBytes;
    this.#releasedBytes = 0;
    this.#creditBytes += bytes;
    // A guest that is gone needs none, and its end is told by the next piece.
    this.#channel.send({ type: "credit", id: this.#id, bytes }).catch(() => undefined);
  }

  async #received(): Promise<Received | undefined> {
    for (;;) {
      const received = await this.#channel.next();
      if (received === undefined || !this.#feed?.take(received.message)) return received;
    }
  }

  #spend(bytes: number): void {
    this.#creditBytes -= bytes + chunkCostBytes;
    if (this.#creditBytes >= 0) return;
    const excess = -this.#creditBytes;
    throw new RunletError(
      "protocol_violation",
      `Cannot take the guest's chunk: it is ${excess} bytes over its credit`,
    );
  }
}
