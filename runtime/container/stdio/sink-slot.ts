import { Capture, cutMark } from "./capture.ts";
import type { Sink } from "./stdio.ts";

/** The place of an output's sink, which may change; keeps a little of what comes while it is empty. */
export class SinkSlot {
  #sink: Sink | undefined;
  #kept: Capture | undefined;

  /** Puts `sink` in place, which gets at once what was kept for it; undefined empties the place. */
  attach(sink: Sink | undefined): void {
    this.#sink = sink;
    const kept = this.#kept;
    if (sink === undefined || kept === undefined) return;
    this.#kept = undefined;
    const bytes = kept.toBuffer();
    sink(bytes);
    if (kept.truncated) sink(Buffer.from(cutMark(kept.totalBytes - bytes.byteLength)));
  }

  deliver(chunk: Buffer): void {
    if (this.#sink !== undefined) {
      this.#sink(chunk);
      return;
    }
    this.#kept ??= new Capture(unclaimedLimitBytes);
    this.#kept.write(chunk);
  }
}

const unclaimedLimitBytes = 65_536;
