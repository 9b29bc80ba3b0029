import { streamLimits } from "../messages.ts";

/** One answer's way out, no faster than the host gives credit for. */
export class Outflow {
  readonly #send: (piece: Uint8Array) => void;
  #creditBytes = streamLimits.windowBytes;
  #granted: (() => void) | undefined;

  constructor(send: (piece: Uint8Array) => void) {
    this.#send = send;
  }

  /** Takes credit for so many bytes more. */
  grant(bytes: number): void {
    this.#creditBytes += bytes;
    const granted = this.#granted;
    this.#granted = undefined;
    granted?.();
  }

  /** Sends bytes in pieces; settles when the last one has gone. */
  async write(bytes: Uint8Array): Promise<void> {
    const { chunkBytes, chunkCostBytes } = streamLimits;
    for (let at = 0; at < bytes.length;) {
      while (this.#creditBytes <= chunkCostBytes) await this.#grantOf();
      const length = Math.min(chunkBytes, this.#creditBytes - chunkCostBytes);
      const piece = bytes.subarray(at, at + length);
      this.#creditBytes -= piece.length + chunkCostBytes;
      this.#send(piece);
      at += piece.length;
    }
  }

  async #grantOf(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#granted = resolve;
    });
  }
}
