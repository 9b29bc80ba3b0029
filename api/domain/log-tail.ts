/** Keeps the last bytes of what is written to it. */
export class LogTail {
  readonly #limitBytes: number;
  #bytes: Uint8Array = Buffer.alloc(0);

  constructor(limitBytes = 4096) {
    this.#limitBytes = limitBytes;
  }

  write(chunk: Uint8Array): void {
    const joined = Buffer.concat([this.#bytes, chunk.subarray(-this.#limitBytes)]);
    this.#bytes = joined.subarray(-this.#limitBytes);
  }

  toBase64(): string {
    return Buffer.from(this.#bytes).toString("base64");
  }
}
