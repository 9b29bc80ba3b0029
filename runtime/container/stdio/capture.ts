/** Told of output as it comes; a chunk is valid during the call only. */
export type OutputListener = (stream: "stdout" | "stderr", chunk: Uint8Array) => void;

/** Keeps the first `limitBytes` of what is written to it and counts the rest. */
export class Capture {
  readonly #limitBytes: number;
  /** One buffer that grows up to the limit: a list of chunks would let one-byte writes cost a hundred times their size. */
  #buffer = Buffer.alloc(0);
  #keptBytes = 0;
  #totalBytes = 0;
  readonly #onChunk: ((chunk: Uint8Array) => void) | undefined;

  /** `onChunk` is told of every chunk, kept or not; see {@link OutputListener}. */
  constructor(limitBytes: number, onChunk?: (chunk: Uint8Array) => void) {
    this.#limitBytes = limitBytes;
    this.#onChunk = onChunk;
  }

  /** All that was written, kept or not. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** How much of it was kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Whether anything was dropped. */
  get truncated(): boolean {
    return this.#totalBytes > this.#keptBytes;
  }

  write(chunk: Uint8Array): void {
    this.#totalBytes += chunk.byteLength;
    this.#onChunk?.(chunk);
    const fits = Math.min(chunk.byteLength, this.#limitBytes - this.#keptBytes);
    if (fits <= 0) return;
    this.#makeRoom(this.#keptBytes + fits);
    this.#buffer.set(chunk.subarray(0, fits), this.#keptBytes);
    this.#keptBytes += fits;
  }

  /** A copy of some of the bytes that were kept. */
  slice(start: number, end: number): Buffer {
    return Buffer.from(this.#buffer.subarray(start, Math.min(end, this.#keptBytes)));
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

/** The captures of both streams, each with a limit of its own. */
export function captureBoth(
  limits: number | { stdoutBytes: number; stderrBytes: number },
  onOutput?: OutputListener,
): { stdout: Capture; stderr: Capture } {
  const { stdoutBytes, stderrBytes } =
    typeof limits === "number" ? { stdoutBytes: limits, stderrBytes: limits } : limits;
  if (onOutput === undefined) {
    return { stdout: new Capture(stdoutBytes), stderr: new Capture(stderrBytes) };
  }
  return {
    stdout: new Capture(stdoutBytes, (chunk) => onOutput("stdout", chunk)),
    stderr: new Capture(stderrBytes, (chunk) => onOutput("stderr", chunk)),
  };
}

/** What stands in the place of output that was dropped. */
export function cutMark(droppedBytes: number): string {
  return `\n[output cut: ${droppedBytes} more bytes]\n`;
}
