import { Capture } from "./capture.ts";
import type { Mask, MaskState } from "./mask.ts";

/** What stands in the place of a masked value; never longer than that. */
export const maskSign = "***";

const sign = Buffer.from(maskSign);
const nothing = new Uint8Array();

/** Bytes from one place in the output to another. */
interface Span {
  start: number;
  readonly end: number;
}

/**
 * Output on its way to a capture, with one sign in the place of each masked value, or of several that overlap. Of
 * what it was given it holds back only the end that may begin a value, until more comes or {@link flush}.
 */
export class MaskedSink {
  readonly #mask: Mask;
  readonly #capture: Capture;
  #state: MaskState;
  #writtenBytes = 0;
  /** How much of it has been handed on, or has a sign in its place. */
  #doneBytes = 0;
  /** The values that were found and are not done, in order; none overlaps another. */
  #found: Span[] = [];

  constructor(mask: Mask, capture: Capture) {
    this.#mask = mask;
    this.#capture = capture;
    this.#state = mask.start;
  }

  write(chunk: Uint8Array): void {
    const before = this.#state;
    let state = before;
    for (let index = 0; index < chunk.length; index++) {
      state = this.#mask.next(state, chunk[index] as number);
      if (state.matchBytes === 0) continue;
      const end = this.#writtenBytes + index + 1;
      this.#find({ start: end - state.matchBytes, end });
    }
    this.#state = state;
    this.#handOn(before, chunk, state.openBytes);
  }

  /** Hands on what is held back: nothing more is going to come that could make it a value. */
  flush(): void {
    const before = this.#state;
    this.#state = this.#mask.start;
    this.#handOn(before, nothing, 0);
  }

  #find(span: Span): void {
    let { start } = span;
    for (let last = this.#found.at(-1); last && last.end > start; last = this.#found.at(-1)) {
      start = Math.min(start, last.start);
      this.#found.pop();
    }
    this.#found.push({ start, end: span.end });
  }

  /** Hands on a chunk, and what `before` had held back, but for the last `openBytes`. */
  #handOn(before: MaskState, chunk: Uint8Array, openBytes: number): void {
    const chunkStart = this.#writtenBytes;
    this.#writtenBytes += chunk.length;
    const end = this.#writtenBytes - openBytes;
    const pieces: Uint8Array[] = [];
    const pass = (to: number): void => {
      const from = this.#doneBytes;
      if (from >= to) return;
      this.#doneBytes = to;
      const heldStart = chunkStart - before.depth;
      if (from < chunkStart) {
        const heldEnd = Math.min(to, chunkStart);
        pieces.push(before.value.subarray(from - heldStart, heldEnd - heldStart));
      }
      if (to > chunkStart) {
        pieces.push(chunk.subarray(Math.max(0, from - chunkStart), to - chunkStart));
      }
    };
    const isPending = ({ start }: Span): boolean => start >= end;
    for (const { start, end: foundEnd } of this.#found.filter((span) => !isPending(span))) {
      pass(start);
      // One that goes on where a sign stands already for the value before it needs none of its own.
      if (start >= this.#doneBytes) pieces.push(sign);
      this.#doneBytes = Math.max(this.#doneBytes, foundEnd);
    }
    this.#found = this.#found.filter(isPending);
    pass(end);
    const [first, ...more] = pieces;
    if (first !== undefined) this.#capture.write(more.length === 0 ? first : Buffer.concat(pieces));
  }
}

/** A text with its masked values hidden. */
export function maskedText(text: string, mask: Mask): string {
  const capture = new Capture(Infinity);
  const sink = new MaskedSink(mask, capture);
  sink.write(Buffer.from(text));
  sink.flush();
  return capture.toBuffer().toString();
}
