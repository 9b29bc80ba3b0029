import type { ImageProgress } from "../schema/image.ts";
import { size } from "./format.ts";

const repaintMs = 100;

/** Progress on stderr: one line that changes on a terminal, else a line a phase. */
export class ProgressLine implements Disposable {
  readonly #isSilent: boolean;
  #phase = "";
  #paintedAt = 0;

  constructor(options: { isSilent: boolean }) {
    this.#isSilent = options.isSilent;
  }

  show({ phase, doneBytes, totalBytes }: ImageProgress): void {
    const isNew = phase !== this.#phase;
    this.#phase = phase;
    if (this.#isSilent) return;
    if (!process.stderr.isTTY) {
      if (isNew) process.stderr.write(`${phase} ...\n`);
      return;
    }
    if (!isNew && performance.now() < this.#paintedAt + repaintMs) return;
    this.#paintedAt = performance.now();
    const of = totalBytes === undefined ? "" : ` of ${size(totalBytes)}`;
    process.stderr.write(`\r\u001B[K${phase}: ${size(doneBytes)}${of}`);
  }

  /** Takes the line away from a terminal. */
  [Symbol.dispose](): void {
    if (this.#paintedAt > 0) process.stderr.write("\r\u001B[K");
    this.#paintedAt = 0;
  }
}
