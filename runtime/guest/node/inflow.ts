import { Buffer } from "node:buffer";
import { type CreditMessage, streamLimits, type WholeMessage } from "../messages.ts";

/** What a guest asks for of an event. */
type Asked = Omit<CreditMessage, "id"> | Omit<WholeMessage, "id">;

const { windowBytes, chunkCostBytes } = streamLimits;

/** Credit is given in lumps, so that small pieces do not cost a message each. */
const creditLumpBytes = windowBytes / 2;

// User code may replace it.
const concat = Buffer.concat.bind(Buffer);

/**
 * The way in of an event that has not arrived yet, no faster than it is read. It is either a stream or waited for
 * as a whole, and the host sends nothing of it before one of the two is asked for.
 */
export class Inflow {
  readonly #ask: (asked: Asked) => void;
  readonly #pieces: Buffer[] = [];
  #state: "open" | "ended" | "broken" | "closed" = "open";
  /** What may be asked for: the window, less what is on its way or waits here. */
  #freeBytes: number = windowBytes;
  #wake: (() => void) | undefined;

  constructor(ask: (asked: Asked) => void) {
    this.#ask = ask;
  }

  take(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#wake?.();
  }

  end(): void {
    this.#settle("ended");
  }

  break(): void {
    this.#settle("broken");
  }

  /** Asks for nothing more: the answer is out, or the reader has had enough. */
  close(): void {
    this.#settle("closed");
  }

  /** The event as it comes, where it is read. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const piece = await this.#next();
          // A copy: whoever gets it may give its memory away, and other frames are in that.
          if (piece === undefined) controller.close();
          else controller.enqueue(new Uint8Array(piece));
        },
        cancel: () => this.close(),
      },
      { highWaterMark: 0 },
    );
  }

  /** All of the event. @throws BrokenBody where it has no end. */
  async whole(): Promise<Buffer> {
    this.#ask({ type: "whole" });
    while (this.#state === "open") await this.#change();
    if (this.#state === "broken") throw brokenBody();
    return concat(this.#pieces);
  }

  async #next(): Promise<Buffer | undefined> {
    for (;;) {
      // What came before a break is not told after it: nobody can do anything with it.
      if (this.#state === "broken") throw brokenBody();
      const piece = this.#pieces.shift();
      if (piece !== undefined) this.#freeBytes += piece.length + chunkCostBytes;
      this.#grant();
      if (piece !== undefined) return piece;
      if (this.#state === "ended") return undefined;
      // Closed, it would wait for ever: to say that this was all would be a lie, and to throw, the end of a
      // process that has answered well.
      await this.#change();
    }
  }

  #grant(): void {
    if (this.#state !== "open" || this.#freeBytes < creditLumpBytes) return;
    const bytes = this.#freeBytes;
    this.#freeBytes = 0;
    this.#ask({ type: "credit", bytes });
  }

  #settle(state: "ended" | "broken" | "closed"): void {
    if (this.#state !== "open") return;
    this.#state = state;
    this.#wake?.();
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

function brokenBody(): Error {
  const error = new Error("Cannot read the body of the request: it has broken off before its end");
  error.name = "BrokenBody";
  return error;
}
