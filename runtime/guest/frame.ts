import { Buffer } from "node:buffer";
import { RunletError } from "../errors.ts";

/** One unit of the channel: a JSON object that says what it is, and raw bytes that travel with it. */
export interface Frame {
  readonly header: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/** Bounds of a frame; what is over them is refused before it is kept. */
export interface FrameLimits {
  /** Everything after the first length field, in bytes. */
  readonly maxFrameBytes: number;
  readonly maxHeaderBytes: number;
}

/** 64 MiB of body, with room for a header. */
export const defaultFrameLimits: FrameLimits = {
  maxFrameBytes: 64 * 1024 * 1024 + 64 * 1024,
  maxHeaderBytes: 8 * 1024 * 1024,
};

// The runner shares this file with user code that may replace them.
const { parse, stringify } = JSON;

const lengthBytes = 4;
const prefixBytes = 2 * lengthBytes;

/** Bodies up to this size are copied behind their header, which is cheaper than a further buffer to be written. */
const joinedBodyBytes = 4 * 1024;

/**
 * The bytes of a frame, in the order in which they are to be written; a large body is not copied.
 * @throws `payload_too_large` over the bounds.
 */
export function encodeFrame(
  header: object,
  body?: Uint8Array,
  limits: FrameLimits = defaultFrameLimits,
): Uint8Array[] {
  const text = stringify(header);
  const headerBytes = Buffer.byteLength(text);
  const bodyBytes = body?.byteLength ?? 0;
  const restBytes = lengthBytes + headerBytes + bodyBytes;
  if (restBytes > limits.maxFrameBytes || headerBytes > limits.maxHeaderBytes) {
    throw new RunletError(
      "payload_too_large",
      `Cannot send a frame of ${restBytes} bytes with a header of ${headerBytes} bytes: ` +
        `the bounds are ${limits.maxFrameBytes} and ${limits.maxHeaderBytes}`,
    );
  }
  const isJoined = bodyBytes <= joinedBodyBytes;
  const head = Buffer.allocUnsafe(prefixBytes + headerBytes + (isJoined ? bodyBytes : 0));
  head.writeUInt32BE(restBytes, 0);
  head.writeUInt32BE(headerBytes, lengthBytes);
  head.write(text, prefixBytes, "utf8");
  if (body === undefined || bodyBytes === 0) return [head];
  if (!isJoined) return [head, body];
  head.set(body, prefixBytes + headerBytes);
  return [head];
}

/**
 * Cuts a stream of bytes into frames: push what arrived, then take frames until there is none. Each byte is
 * copied a bounded number of times however small the chunks are, and memory grows with what has arrived,
 * not with what a length field claims.
 */
export class FrameDecoder {
  readonly #limits: FrameLimits;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Whether #bytes was allocated here; a chunk of the caller's is never written to. */
  #isOwn = false;

  constructor(limits: FrameLimits = defaultFrameLimits) {
    this.#limits = limits;
  }

  /** Bytes that belong to no complete frame yet. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  /** Adds a chunk of any size; the decoder keeps it until its frames are taken. */
  push(chunk: Uint8Array): void {
    if (this.pendingBytes === 0) {
      this.#bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      this.#start = 0;
      this.#end = chunk.byteLength;
      this.#isOwn = false;
      return;
    }
    this.#reserve(chunk.byteLength);
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.byteLength;
  }

  /**
   * The next complete frame, or undefined until more bytes arrive.
   * @throws `protocol_violation` if the bytes are no frame or a frame over the bounds; the decoder is of no
   * use afterwards.
   */
  next(): Frame | undefined {
    const pending = this.pendingBytes;
    if (pending < lengthBytes) return undefined;
    const restBytes = this.#bytes.readUInt32BE(this.#start);
    if (restBytes < lengthBytes || restBytes > this.#limits.maxFrameBytes) {
      throw violation(`length ${restBytes} is not in 4 to ${this.#limits.maxFrameBytes}`);
    }
    if (pending < prefixBytes) return undefined;
    const headerBytes = this.#bytes.readUInt32BE(this.#start + lengthBytes);
    const maxHeaderBytes = Math.min(restBytes - lengthBytes, this.#limits.maxHeaderBytes);
    if (headerBytes > maxHeaderBytes) {
      throw violation(`header length ${headerBytes} is over ${maxHeaderBytes}`);
    }
    if (pending < lengthBytes + restBytes) return undefined;
    const headerStart = this.#start + prefixBytes;
    const bodyStart = headerStart + headerBytes;
    this.#start += lengthBytes + restBytes;
    return {
      header: parseHeader(this.#bytes.toString("utf8", headerStart, bodyStart)),
      body: this.#bytes.subarray(bodyStart, this.#start),
    };
  }

  /** Makes room for `added` bytes; capacity doubles, so that the copying stays linear. */
  #reserve(added: number): void {
    if (this.#isOwn && this.#end + added <= this.#bytes.length) return;
    const pending = this.pendingBytes;
    const grown = Buffer.allocUnsafe(Math.max(pending + added, this.#doubled(pending)));
    this.#bytes.copy(grown, 0, this.#start, this.#end);
    this.#bytes = grown;
    this.#start = 0;
    this.#end = pending;
    this.#isOwn = true;
  }

  /** Twice what is pending, but no more than the frame that it is the beginning of. */
  #doubled(pending: number): number {
    if (pending < lengthBytes) return prefixBytes;
    const frameBytes = lengthBytes + this.#bytes.readUInt32BE(this.#start);
    return pending < frameBytes ? Math.min(2 * pending, frameBytes) : 2 * pending;
  }
}

function parseHeader(text: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = parse(text);
  } catch (cause) {
    throw violation("header is not JSON", { cause });
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw violation("header is not a JSON object");
  }
  return header as Record<string, unknown>;
}

function violation(fact: string, options?: ErrorOptions): RunletError {
  return new RunletError("protocol_violation", `Cannot read frame: ${fact}`, options);
}
