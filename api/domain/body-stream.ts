import type { Readable } from "node:stream";
import { eventTooLarge } from "../../runtime/guest/guest-feed.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import { RunletError } from "./errors.ts";

export { eventTooLarge };

const changes = ["readable", "end", "error", "close"] as const;

/** The body of a request as it arrives, read no faster than it is asked for. What is left unread stays in the source. */
export class BodyStream {
  readonly #source: Readable;
  readonly #maxBytes: number;
  readonly #wakeup = new Wakeup();
  #totalBytes = 0;
  #isLeft = false;

  constructor(source: Readable, maxBytes: number) {
    this.#source = source;
    this.#maxBytes = maxBytes;
  }

  /** What has been read so far. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /**
   * The next piece, undefined at the end. One at a time.
   * @throws `payload_too_large` over the bound, `cancelled` where the caller goes away before its end.
   */
  async next(): Promise<Buffer | undefined> {
    while (!this.#isLeft) {
      const piece = this.#source.read() as Buffer | null;
      if (piece !== null) return this.#counted(piece);
      if (this.#source.readableEnded) return undefined;
      if (this.#source.destroyed) throw brokenOff();
      await this.#change();
    }
    return undefined;
  }

  /** Nobody reads on: the source is free for who drains it. */
  leave(): void {
    this.#isLeft = true;
    this.#wakeup.wake();
  }

  /** All of it. @throws as {@link next}. */
  async collect(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (;;) {
      const piece = await this.next();
      if (piece === undefined) return Buffer.concat(pieces);
      pieces.push(piece);
    }
  }

  #counted(piece: Buffer): Buffer {
    this.#totalBytes += piece.length;
    if (this.#totalBytes > this.#maxBytes) throw eventTooLarge(this.#maxBytes);
    return piece;
  }

  /** Listeners stay no longer than they are needed: with one for `readable`, nobody else could drain the source. */
  async #change(): Promise<void> {
    const source = this.#source;
    const wake = (): void => this.#wakeup.wake();
    for (const change of changes) source.on(change, wake);
    await this.#wakeup.next();
    for (const change of changes) source.off(change, wake);
  }
}

function brokenOff(): RunletError {
  return new RunletError(
    "cancelled",
    "Invocation was cancelled: its caller went away in the middle of the body",
  );
}
