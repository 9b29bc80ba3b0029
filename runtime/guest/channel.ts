import type { Duplex } from "node:stream";
import { untilAborted } from "../deadline.ts";
import { isRunletError, RunletError } from "../errors.ts";
import type { Mask } from "../container/stdio/mask.ts";
import { maskedText } from "../container/stdio/masked-sink.ts";
import { notePassed } from "../passed-bytes.ts";
import { defaultFrameLimits, encodeFrame, FrameDecoder } from "./frame.ts";
import { writeTogether } from "./write-together.ts";
import { parseGuestMessage } from "./guest-message.ts";
import {
  type GuestError,
  type GuestMessage,
  type HostMessage,
  maxGuestHeaderBytes,
} from "./messages.ts";

export interface ChannelOptions {
  /** Bound of one frame in either direction, 64 MiB and a header by default. */
  readonly maxFrameBytes?: number;
}

/** One message of the guest and the bytes that came with it. */
export interface Received {
  readonly message: GuestMessage;
  readonly body: Buffer;
}

/** Messages that wait for `next` before the guest is made to wait. */
const maxQueued = 64;

/**
 * The host's side of the link to one guest. Messages are taken one by one with {@link next}; the end of the
 * guest, however it came, is `undefined`. Nothing of the guest is trusted: the first frame that is not of the
 * protocol destroys the channel. Closing twice is harmless.
 */
export class Channel implements Disposable {
  /** Settles once the channel is of no more use; never rejects. */
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  readonly #maxFrameBytes: number;
  readonly #decoder: FrameDecoder;
  readonly #closed = Promise.withResolvers<void>();
  readonly #queue: Received[] = [];
  #queuedBytes = 0;
  #waiter: PromiseWithResolvers<Received | undefined> | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  #failure: RunletError | undefined;
  #mask: Mask | undefined;
  #isOver = false;

  constructor(socket: Duplex, options: ChannelOptions = {}) {
    this.#socket = socket;
    this.#maxFrameBytes = options.maxFrameBytes ?? defaultFrameLimits.maxFrameBytes;
    this.#decoder = new FrameDecoder({
      maxFrameBytes: this.#maxFrameBytes,
      maxHeaderBytes: maxGuestHeaderBytes,
    });
    this.closed = this.#closed.promise;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#settleDrained());
    // A guest that dies with unread bytes resets the socket: to the host that is an end as any other.
    socket.on("error", () => this.close());
    socket.once("end", () => this.close());
    socket.once("close", () => this.close());
    if (socket.destroyed) this.close();
  }

  /** Whether nothing can be sent any more; messages that had arrived may still be taken. */
  get isClosed(): boolean {
    return this.#isOver;
  }

  /** Whether nothing has arrived that was not taken, not even the beginning of a message. */
  get isQuiet(): boolean {
    return this.#queue.length === 0 && this.#decoder.pendingBytes === 0;
  }

  /**
   * Sends one message; settles when it is flushed or buffered below the socket's high water mark.
   * @throws `unavailable` if the channel is closed, `payload_too_large` over the bound, the signal's reason.
   */
  async send(message: HostMessage, body?: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#isOver) throw this.#gone(message);
    const chunks = encodeFrame(message, body, {
      ...defaultFrameLimits,
      maxFrameBytes: this.#maxFrameBytes,
    });
    if (writeTogether(this.#socket, chunks)) return;
    this.#drained ??= Promise.withResolvers<void>();
    await untilAborted(this.#drained.promise, signal);
    if (this.#isOver) throw this.#gone(message);
  }

  /**
   * The next message of the guest, or undefined once the channel is closed and all messages are taken. One
   * caller at a time; a message that arrives after an abort stays for the next call.
   * @throws `protocol_violation` if the guest broke the protocol, the signal's reason.
   */
  async next(signal?: AbortSignal): Promise<Received | undefined> {
    signal?.throwIfAborted();
    const first = this.#queue.shift();
    if (first !== undefined) {
      this.#queuedBytes -= first.body.length;
      if (this.#queue.length === 0) this.#socket.resume();
      return first;
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isOver) return undefined;
    if (this.#waiter !== undefined) throw new Error("Channel.next() is already waited for");
    const waiter = Promise.withResolvers<Received | undefined>();
    this.#waiter = waiter;
    if (signal === undefined) return await waiter.promise;
    const giveUp = (): void => {
      if (this.#waiter === waiter) this.#waiter = undefined;
      waiter.reject(signal.reason as Error);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      return await waiter.promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Hides what must not be seen in the errors that the guest tells of from now on. */
  hide(mask: Mask): void {
    this.#mask = mask;
  }

  /** Ends the channel at once; the guest's runner sees it and exits. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (this.#failure === undefined) waiter?.resolve(undefined);
    else waiter?.reject(this.#failure);
    this.#settleDrained();
    this.#closed.resolve();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(chunk: Buffer): void {
    if (this.#isOver) return;
    notePassed(chunk.byteLength);
    try {
      this.#decoder.push(chunk);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        const message = parseGuestMessage(frame.header, frame.body.length);
        this.#deliver({ message: withoutMasked(message, this.#mask), body: frame.body });
      }
    } catch (error) {
      if (!isRunletError(error)) throw error;
      this.#failure = error;
      this.close();
    }
  }

  #deliver(received: Received): void {
    const waiter = this.#waiter;
    if (waiter !== undefined) {
      this.#waiter = undefined;
      waiter.resolve(received);
      return;
    }
    this.#queue.push(received);
    this.#queuedBytes += received.body.length;
    if (this.#queue.length >= maxQueued || this.#queuedBytes >= this.#maxFrameBytes) {
      this.#socket.pause();
    }
  }

  #settleDrained(): void {
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.resolve();
  }

  #gone(message: HostMessage): RunletError {
    return new RunletError("unavailable", `Cannot send ${message.type}: the channel is closed`);
  }
}

function withoutMasked(message: GuestMessage, mask: Mask | undefined): GuestMessage {
  if (mask === undefined || !("error" in message)) return message;
  return { ...message, error: maskedError(message.error, mask) };
}

function maskedError({ name, message, stack }: GuestError, mask: Mask): GuestError {
  return {
    name: maskedText(name, mask),
    message: maskedText(message, mask),
    ...(stack !== undefined && { stack: maskedText(stack, mask) }),
  };
}
