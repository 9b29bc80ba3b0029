/** Keeps the first `limitBytes` of what is written to it and counts the rest. */
export class Capture {
  readonly #limitBytes: number;
  /** One buffer that grows up to the limit: a list of chunks would let one-byte writes cost a hundred times their size. */
  #buffer = Buffer.alloc(0);
  #keptBytes = 0;
  #totalBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** All that was written, kept or not. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Whether anything was dropped. */
  get truncated(): boolean {
    return this.#totalBytes > this.#keptBytes;
  }

  write(chunk: Uint8Array): void {
    this.#totalBytes += chunk.byteLength;
    const fits = Math.min(chunk.byteLength, this.#limitBytes - this.#keptBytes);
    if (fits <= 0) return;
    this.#makeRoom(this.#keptBytes + fits);
    this.#buffer.set(chunk.subarray(0, fits), this.#keptBytes);
    this.#keptBytes += fits;
  }

  /** A copy of the bytes that were kept. */
  toBuffer(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#keptBytes));
  }

  /** The bytes that were kept as UTF-8, with the mark of {@link cutMark} where something was dropped. */
  text(): string {
    const text = new TextDecoder().decode(this.#buffer.subarray(0, this.#keptBytes), {
      // A character that the limit cut in two is left out rather than shown as a replacement sign.
      stream: this.truncated,
    });
    return this.truncated ? text + cutMark(this.#totalBytes - this.#keptBytes) : text;
  }

  #makeRoom(neededBytes: number): void {
    if (neededBytes <= this.#buffer.byteLength) return;
    const grown = Math.max(neededBytes, this.#buffer.byteLength * 2, 1024);
    const buffer = Buffer.alloc(Math.min(grown, this.#limitBytes));
    buffer.set(this.#buffer);
    this.#buffer = buffer;
  }
}

/** What stands in the place of output that was dropped. */
export function cutMark(droppedBytes: number): string {
  return `\n[output cut: ${droppedBytes} more bytes]\n`;
}
