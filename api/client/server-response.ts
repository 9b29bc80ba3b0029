import type { IncomingHttpHeaders } from "node:http";

/** Statuses whose answers have no body (RFC 9110, 15). */
export const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

export interface ResponseHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** An answer: what fetch has of one, without the streams that it makes of each, and trailers. Its body is taken once. */
export class ServerResponse {
  readonly status: number;
  readonly #head: ResponseHead;
  readonly #body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  readonly #trailers: () => IncomingHttpHeaders;
  #headers: Headers | undefined;

  /** The body is whole where it was read already. */
  constructor(
    head: ResponseHead,
    body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
    trailers: () => IncomingHttpHeaders = () => ({}),
  ) {
    this.status = head.status;
    this.#head = head;
    this.#body = body;
    this.#trailers = trailers;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get headers(): Headers {
    return (this.#headers ??= headersOf(this.#head.headers));
  }

  /** There once the body was read to its end. */
  get trailers(): Headers {
    return headersOf(this.#trailers());
  }

  /** The body as it comes. */
  stream(): ReadableStream<Uint8Array> {
    if (this.#body instanceof ReadableStream) return this.#body;
    return ReadableStream.from(this.#body.byteLength === 0 ? [] : [this.#body]);
  }

  /** All of the body. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#body instanceof Uint8Array) return this.#body;
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#body) pieces.push(piece);
    return joined(pieces);
  }

  /** All of the body, as UTF-8. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  /** Says that nobody will read the body. */
  async cancel(): Promise<void> {
    if (this.#body instanceof ReadableStream) await this.#body.cancel();
  }

  /** As one of fetch's. */
  toFetched(): Response {
    const { status, headers } = this;
    const body = bodiless.has(status) ? null : this.stream();
    return new Response(body, { status, headers });
  }
}

/** Pieces as one, in memory of its own. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

function headersOf(values: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, all = []] of Object.entries(values)) {
    for (const value of [all].flat()) headers.append(name, value);
  }
  return headers;
}
