import type { Exit } from "../../runtime/container/exit.ts";
import type { Init } from "../../runtime/container/init.ts";
import type { GuestStream } from "../../runtime/guest/guest-stream.ts";
import type { Reply } from "../../runtime/guest/reply.ts";
import { RunletError } from "./errors.ts";
import { Wakeup } from "../../runtime/wakeup.ts";

export interface AnswerStreamOptions {
  init: Init;
  /** Bound of the whole answer. */
  maxBytes: number;
  /** How long the function may write nothing though it could. */
  idleTimeoutMs: number | undefined;
}

/** How the writing of an answer ended: as the guest ended it, or cut off here. */
export type StreamEnd =
  | Reply<undefined>
  | { readonly kind: "cut"; readonly failure: RunletError; readonly exit?: Exit };

/**
 * An answer between its function and its caller. The function's side has it filled with {@link fill}. The caller's
 * takes pieces with {@link next}, which lets the function write as much again, and learns of the end only by
 * {@link end}: when the invocation is on record.
 */
export class AnswerStream {
  readonly #source: GuestStream;
  readonly #options: AnswerStreamOptions;
  readonly #pieces: Buffer[] = [];
  readonly #wakeup = new Wakeup();
  #totalBytes = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #isIdle = false;
  #isLeft = false;
  #end: { readonly failure: Error | undefined } | undefined;

  constructor(source: GuestStream, options: AnswerStreamOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** What the function has written so far. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Takes what the guest writes until its answer ends. @throws `protocol_violation`. */
  async fill(): Promise<StreamEnd> {
    const { idleTimeoutMs, maxBytes } = this.#options;
    if (idleTimeoutMs !== undefined) {
      this.#idleTimer = setTimeout(() => this.#endIdle(), idleTimeoutMs);
    }
    try {
      for (;;) {
        const reply = await this.#source.next();
        if (reply.kind !== "answered") return this.#isIdle ? this.#idleEnd(reply) : reply;
        if (reply.answer === undefined) return { kind: "answered", answer: undefined };
        this.#totalBytes += reply.answer.length;
        if (this.#totalBytes > maxBytes) return { kind: "cut", failure: tooLong(maxBytes) };
        this.#idleTimer?.refresh();
        this.#take(reply.answer);
      }
    } finally {
      clearTimeout(this.#idleTimer);
      this.#idleTimer = undefined;
    }
  }

  /**
   * The next piece for the caller; undefined at the end. One at a time.
   * @throws the failure that {@link end} was given, after the last piece.
   */
  async next(): Promise<Buffer | undefined> {
    while (this.#pieces.length === 0 && this.#end === undefined) {
      await this.#wakeup.next();
    }
    const piece = this.#pieces.shift();
    if (piece !== undefined) this.#release(piece);
    else if (this.#end?.failure !== undefined) throw this.#end.failure;
    return piece;
  }

  /** Lets the caller see the end, or the failure that it was. */
  end(failure?: Error): void {
    this.#end = { failure };
    this.#wakeup.wake();
  }

  /** The caller is gone: what the function still writes is dropped. */
  leave(): void {
    this.#isLeft = true;
    for (const piece of this.#pieces.splice(0)) this.#release(piece);
  }

  /** All pieces as one, once {@link end} was told. @throws the failure that it was given. */
  async collect(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (;;) {
      const piece = await this.next();
      if (piece === undefined) return Buffer.concat(pieces);
      pieces.push(piece);
    }
  }

  #take(piece: Buffer): void {
    if (this.#isLeft) return this.#release(piece);
    this.#pieces.push(piece);
    this.#wakeup.wake();
  }

  #release(piece: Buffer): void {
    const wasHeldBack = this.#source.isHeldBack;
    this.#source.release(piece);
    // The time that a slow caller took is not the function's.
    if (wasHeldBack && !this.#source.isHeldBack) this.#idleTimer?.refresh();
  }

  #endIdle(): void {
    if (this.#source.isHeldBack) return;
    this.#isIdle = true;
    void this.#options.init.terminate("timeout");
  }

  #idleEnd(reply: Exclude<Reply<undefined>, { kind: "answered" }>): StreamEnd {
    const waited = `it wrote nothing of its answer for ${this.#options.idleTimeoutMs} ms`;
    const failure = new RunletError("function_timeout", `Function timed out: ${waited}`);
    return { kind: "cut", failure, ...(reply.kind === "ended" && { exit: reply.exit }) };
  }
}

function tooLong(maxBytes: number): RunletError {
  return new RunletError(
    "function_error",
    `Function failed: its answer is longer than ${maxBytes} bytes`,
  );
}
