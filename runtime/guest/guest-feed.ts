import { RunletError } from "../errors.ts";
import { Wakeup } from "../wakeup.ts";
import type { Channel } from "./channel.ts";
import { type GuestMessage, type HostMessage, streamLimits } from "./messages.ts";

const { windowBytes, chunkBytes, chunkCostBytes } = streamLimits;

/** What an event is read from that has not arrived yet. */
export interface EventSource {
  /** The next piece, undefined at the end. One at a time. @throws what keeps it from its end. */
  next(): Promise<Uint8Array | undefined>;
}

export interface GuestFeedOptions {
  source: EventSource;
  /** Bound of an event that the guest wants as a whole. */
  maxWholeBytes: number;
  /** Told that the guest wants it as a whole. */
  onWhole: () => void;
  /** Told that the event has broken off, and why. */
  onBroken: (cause: unknown) => void;
}

/**
 * An event that its guest is given while it still arrives, no faster than the guest asks for it. Nothing is read
 * of the source ahead of the guest's credit.
 */
export class GuestFeed {
  readonly #channel: Channel;
  readonly #id: string;
  readonly #options: GuestFeedOptions;
  readonly #wakeup = new Wakeup();
  #creditBytes = 0;
  #sentBytes = 0;
  #isBegun = false;
  #isWhole = false;
  #isOver = false;

  constructor(channel: Channel, id: string, options: GuestFeedOptions) {
    this.#channel = channel;
    this.#id = id;
    this.#options = options;
  }

  /** Whether the guest has asked for any of it: no other guest can be given the event then. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** Whether the guest has asked for it and is still to get some of it. */
  get isOpen(): boolean {
    return this.#isBegun && !this.#isOver;
  }

  /**
   * Takes what the guest says of the event; false for a message that is about something else.
   * @throws `protocol_violation` for more than a guest may ask.
   */
  take(message: GuestMessage): boolean {
    if (message.type !== "credit" && message.type !== "whole") return false;
    if (message.id !== this.#id) return false;
    if (message.type === "whole") this.#takeWhole();
    else this.#takeCredit(message.bytes);
    if (!this.#isBegun) void this.#run();
    return true;
  }

  /** Tells the guest that there will be no end of the event. */
  break(cause: unknown): void {
    if (this.#isOver) return;
    this.stop();
    void this.#say({ type: "break", id: this.#id });
    this.#options.onBroken(cause);
  }

  /** Ends it without a word: the guest has answered, or is gone. */
  stop(): void {
    this.#isOver = true;
    this.#wakeup.wake();
  }

  #takeWhole(): void {
    if (this.#isBegun) throw violation("whole: it has asked for the event before");
    this.#isWhole = true;
    this.#options.onWhole();
  }

  /** Credit may cross the end of the event, and then means nothing; more than a window never means anything. */
  #takeCredit(bytes: number): void {
    if (this.#isWhole) throw violation("credit: it has asked for the whole event before");
    this.#creditBytes += bytes;
    if (this.#creditBytes > windowBytes) {
      throw violation(`credit: with it, ${this.#creditBytes} bytes would be on their way`);
    }
    this.#wakeup.wake();
  }

  async #run(): Promise<void> {
    this.#isBegun = true;
    try {
      for (;;) {
        await this.#room();
        if (this.#isOver) return;
        const bytes = await this.#options.source.next();
        if (this.#isOver) return;
        if (bytes === undefined) break;
        this.#sentBytes += bytes.byteLength;
        const { maxWholeBytes } = this.#options;
        if (this.#isWhole && this.#sentBytes > maxWholeBytes) throw eventTooLarge(maxWholeBytes);
        await this.#send(bytes);
      }
      this.stop();
      void this.#say({ type: "end", id: this.#id });
    } catch (error) {
      this.break(error);
    }
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength;) {
      await this.#room();
      if (this.#isOver) return;
      const room = this.#isWhole ? chunkBytes : this.#creditBytes - chunkCostBytes;
      const piece = bytes.subarray(at, at + Math.min(chunkBytes, room));
      if (!this.#isWhole) this.#creditBytes -= piece.byteLength + chunkCostBytes;
      at += piece.byteLength;
      await this.#say({ type: "chunk", id: this.#id }, piece);
    }
  }

  async #room(): Promise<void> {
    while (!this.#isWhole && !this.#isOver && this.#creditBytes <= chunkCostBytes) {
      await this.#wakeup.next();
    }
  }

  /** A guest that is gone needs no more, and its end is told by whoever reads its channel. */
  async #say(message: HostMessage, body?: Uint8Array): Promise<void> {
    await this.#channel.send(message, body).catch(() => this.stop());
  }
}

/** The refusal of an event over a bound. */
export function eventTooLarge(maxBytes: number): RunletError {
  return new RunletError(
    "payload_too_large",
    `Cannot take the request: its body is larger than ${maxBytes} bytes`,
  );
}

function violation(fact: string): RunletError {
  return new RunletError("protocol_violation", `Cannot take the guest's ${fact}`);
}
