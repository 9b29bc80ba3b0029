import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ConnectionError } from "./errors.ts";

export interface SendOptions {
  method: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  signal?: AbortSignal | undefined;
  /** How long the whole exchange may take; without it, only `signal` ends it. */
  timeoutMs?: number;
}

/** An answer: what fetch has of one, without the streams that it makes of each, and trailers. Its body is taken once. */
export class ServerResponse {
  readonly status: number;
  readonly #message: IncomingMessage;
  readonly #whole: Uint8Array<ArrayBuffer> | undefined;
  #headers: Headers | undefined;

  /** `whole` is the body where it was read already. */
  constructor(message: IncomingMessage, whole: Uint8Array<ArrayBuffer> | undefined) {
    this.status = message.statusCode ?? 0;
    this.#message = message;
    this.#whole = whole;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get headers(): Headers {
    return (this.#headers ??= headersOf(this.#message.headersDistinct));
  }

  /** There once the body was read to its end. */
  get trailers(): Headers {
    return headersOf(this.#message.trailersDistinct);
  }

  /** The body as it comes. */
  stream(): ReadableStream<Uint8Array> {
    if (this.#whole === undefined) return streamOf(this.#message);
    return ReadableStream.from(this.#whole.byteLength === 0 ? [] : [this.#whole]);
  }

  /** All of the body. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#whole ?? (await wholeOf(this.#message));
  }

  /** All of the body, as UTF-8. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  /** Says that nobody will read the body. */
  cancel(): void {
    if (this.#whole === undefined) this.#message.destroy();
  }

  /** As one of fetch's. */
  toFetched(): Response {
    const { status, headers } = this;
    const body = bodiless.has(status) ? null : this.stream();
    return new Response(body, { status, headers });
  }
}

/** Statuses whose answers have no body (RFC 9110, 15). */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

/** What is known to be no longer is read at once: a stream of it would cost more than its bytes. */
const smallBodyBytes = 64 * 1024;

/**
 * Sends one request and answers once the head of the response is there, however long that takes: an
 * invocation may run for a quarter of an hour, and `fetch` gives up after five minutes.
 * @throws ConnectionError, the reason of `signal`, or what the body throws.
 */
export async function send(url: URL, options: SendOptions): Promise<ServerResponse> {
  const { method, headers = {}, body = "", timeoutMs } = options;
  options.signal?.throwIfAborted();
  const deadline = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const signal = eitherOf(options.signal, deadline);
  const isWhole = typeof body === "string" || body instanceof Uint8Array;
  const length = isWhole ? { "content-length": String(Buffer.byteLength(body)) } : {};
  const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
    method,
    headers: { ...headers, ...length },
    ...(signal && { signal }),
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.on("response", resolve).on("error", reject);
  let broken: { error: unknown } | undefined;
  const onBroken = (error: unknown): void => void (broken = { error });
  // What breaks the upload breaks the request too, unless the answer was there before its end.
  if (isWhole) request.end(body);
  else pipeline(Readable.from(watched(body, onBroken)), request).catch(reject);
  try {
    return await toResponse(await promise);
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (broken !== undefined) throw broken.error;
    const fact = deadline?.aborted ? `no answer within ${timeoutMs} ms` : undefined;
    throw explained(url, cause, fact);
  }
}

/** A signal that aborts with the first of two, of which either may be missing. */
export function eitherOf(
  one: AbortSignal | undefined,
  other: AbortSignal | undefined,
): AbortSignal | undefined {
  return one && other ? AbortSignal.any([one, other]) : (one ?? other);
}

async function* watched(
  body: AsyncIterable<Uint8Array>,
  onBroken: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    onBroken(error);
    throw error;
  }
}

/** An answer whose head is there, and the body of a small one. */
export async function toResponse(message: IncomingMessage): Promise<ServerResponse> {
  if (bodiless.has(message.statusCode ?? 0)) {
    message.resume();
    return new ServerResponse(message, new Uint8Array());
  }
  const isSmall = Number(message.headers["content-length"] ?? Infinity) <= smallBodyBytes;
  return new ServerResponse(message, isSmall ? await wholeOf(message) : undefined);
}

/** All of a body, in memory of its own; an iterator of it would take several turns more. */
async function wholeOf(message: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const pieces: Buffer[] = [];
  const onCut = (): void => reject(new Error("it ended early"));
  message.on("data", (piece: Buffer) => pieces.push(piece));
  message.once("end", resolve).once("error", reject).once("close", onCut);
  if (message.destroyed) onCut();
  await promise;
  const whole = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

/** A body as it comes; Readable.toWeb takes half as much time again. */
function streamOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  const pieces = message[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await pieces.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      // Not by its iterator, which would wait for the next piece first.
      cancel: () => void message.destroy(),
    },
    { highWaterMark: 0 },
  );
}

function headersOf(values: NodeJS.Dict<string[]>): Headers {
  const headers = new Headers();
  for (const [name, all = []] of Object.entries(values)) {
    for (const value of all) headers.append(name, value);
  }
  return headers;
}

/** Why a server could not be reached, or did not answer. */
export function explained(url: URL, cause: unknown, late?: string): ConnectionError {
  return new ConnectionError(explain(url, cause, late), { cause });
}

function explain(url: URL, cause: unknown, late: string | undefined): string {
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  const said = cause instanceof Error ? cause.message : String(cause);
  const fact = late ?? facts[code] ?? (code === "ECONNRESET" ? "it ended early" : said);
  return late === undefined && code in facts
    ? `Cannot reach Runlet at ${url.origin}: ${fact}. Start it with \`runlet serve\`, or name another with --url or RUNLET_URL`
    : `Cannot get an answer from Runlet at ${url.origin}: ${fact}. The server's log may say why`;
}

const facts: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "no such host",
  EHOSTUNREACH: "no way to that host",
  ENETUNREACH: "no way to that network",
  ETIMEDOUT: "no answer",
};
