import { readSync } from "node:fs";
import { Socket } from "node:net";
import { SinkSlot } from "./sink-slot.ts";
import type { Output, Sink } from "./stdio.ts";

/** The reading end of a pipe as an {@link Output}; owns the descriptor. */
export class OutputStream implements Output {
  readonly ended: Promise<void>;
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #slot = new SinkSlot();
  #hasEnded = false;
  #isCut = false;

  /** Takes over `fd`, which must be non-blocking. */
  constructor(fd: number) {
    this.#fd = fd;
    const onread = { buffer: readBuffer, callback: this.#onRead.bind(this) };
    this.#socket = new Socket({ fd, readable: true, writable: false, onread });
    // Nothing is ever buffered in the stream, but it ends only when it flows.
    this.#socket.resume();
    this.#socket.once("end", () => {
      this.#hasEnded = true;
    });
    this.#socket.on("error", () => this.close());
    const closed = Promise.withResolvers<void>();
    this.#socket.once("close", () => closed.resolve());
    this.ended = closed.promise;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  attach(sink: Sink | undefined): void {
    this.#slot.attach(sink);
  }

  drain(): void {
    // The bound is what a pipe holds: all that was written before this moment is within it, and a writer
    // that never stops cannot keep us here.
    for (let left = pipeCapacityBytes; left > 0;) {
      const chunk = this.#readNow(left);
      if (chunk === undefined) return;
      left -= chunk.byteLength;
      this.#slot.deliver(chunk);
    }
  }

  close(): void {
    if (this.#socket.destroyed) return;
    this.#isCut = !this.#hasEnded;
    this.#socket.destroy();
  }

  #onRead(byteLength: number, buffer: Uint8Array): boolean {
    this.#slot.deliver(Buffer.from(buffer.buffer, buffer.byteOffset, byteLength));
    return true;
  }

  #readNow(limitBytes: number): Buffer | undefined {
    // A closed descriptor's number may be somebody else's by now.
    if (this.#socket.destroyed) return undefined;
    // An empty pipe is told by an error, mostly, and what makes errors dear is their stack.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      const count = readSync(this.#fd, drainBuffer, 0, limitBytes, null);
      return count === 0 ? undefined : drainBuffer.subarray(0, count);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
      throw error;
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }
}

const pipeCapacityBytes = 65_536;

// One buffer for all streams, since a sink keeps nothing of a chunk: one for each read would be garbage as fast
// as a guest can write.
const readBuffer = Buffer.alloc(pipeCapacityBytes);
const drainBuffer = Buffer.alloc(pipeCapacityBytes);
