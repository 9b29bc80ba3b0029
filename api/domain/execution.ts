import { type Capture, captureBoth } from "../../runtime/container/stdio/capture.ts";
import { Wakeup } from "../../runtime/wakeup.ts";
import type { ExecuteEvent, ExecuteResult } from "../schema/execute.ts";
import { encodedText } from "./text.ts";

type Stream = "stdout" | "stderr";
/** What a follower is told; a failure as it was thrown. */
type Told =
  | Exclude<ExecuteEvent, { type: "failed" }>
  | { readonly type: "failed"; readonly error: unknown };

const maxPieceBytes = 64 * 1024;
/** Past so many a slow reader is told of both streams in an order of their own. */
const maxPieces = 4096;

/** One who is told of a program as it runs: of as much of its output as is kept, and of its end. */
export class Execution implements Disposable {
  readonly #onLeave: () => void;
  readonly #kept: Record<Stream, Capture>;
  readonly #told = { stdout: 0, stderr: 0 };
  readonly #pieces: { readonly stream: Stream; bytes: number }[] = [];
  readonly #wakeup = new Wakeup();
  #begun: Told | undefined;
  #last: Told | undefined;
  #isOver = false;

  /** `onLeave` is told when the follower goes away before the end. */
  constructor(outputBytes: number, onLeave: () => void) {
    this.#kept = captureBoth(outputBytes);
    this.#onLeave = onLeave;
  }

  /** The next event, as soon as there is one; undefined after the last. */
  async next(): Promise<Told | undefined> {
    for (;;) {
      if (this.#isOver) return undefined;
      const begun = this.#begun;
      this.#begun = undefined;
      const event = begun ?? this.#nextOutput();
      if (event !== undefined) return event;
      if (this.#last !== undefined) {
        this.#isOver = true;
        return this.#last;
      }
      await this.#wakeup.next();
    }
  }

  /** It runs. */
  begin(invocationId: string): void {
    this.#begun = { type: "started", invocationId };
    this.#wakeup.wake();
  }

  /** It wrote something. */
  write(stream: Stream, chunk: Uint8Array): void {
    const kept = this.#kept[stream];
    const before = kept.keptBytes;
    kept.write(chunk);
    const bytes = kept.keptBytes - before;
    if (bytes === 0) return;
    const isFull = this.#pieces.length >= maxPieces;
    const last = isFull
      ? this.#pieces.findLast((piece) => piece.stream === stream)
      : this.#pieces.at(-1);
    if (last?.stream === stream) last.bytes += bytes;
    else this.#pieces.push({ stream, bytes });
    this.#wakeup.wake();
  }

  /** It has come to its end. */
  end(result: ExecuteResult): void {
    const { stdout: _out, stderr: _err, outputEncoding: _encoding, ...facts } = result;
    this.#finish({ type: "end", ...facts });
  }

  /** It could not be run to an end of its own. */
  fail(error: unknown): void {
    this.#finish({ type: "failed", error });
  }

  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wakeup.wake();
    this.#onLeave();
  }

  #finish(last: Told): void {
    this.#last = last;
    this.#wakeup.wake();
  }

  #nextOutput(): Told | undefined {
    const [piece] = this.#pieces;
    if (piece === undefined) return undefined;
    const { stream } = piece;
    const bytes = Math.min(piece.bytes, maxPieceBytes);
    piece.bytes -= bytes;
    if (piece.bytes === 0) this.#pieces.shift();
    const at = this.#told[stream];
    this.#told[stream] += bytes;
    const body = this.#kept[stream].slice(at, at + bytes);
    return { type: "output", stream, ...encodedText(body) };
  }
}
