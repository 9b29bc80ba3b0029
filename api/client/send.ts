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

/** A response of which the trailers are there once its body was read to its end. */
export class ServerResponse extends Response {
  readonly #message: IncomingMessage;

  constructor(message: IncomingMessage, body: ConstructorParameters<typeof Response>[0]) {
    super(body, { status: message.statusCode ?? 0, headers: headersOf(message.headersDistinct) });
    this.#message = message;
  }

  get trailers(): Headers {
    return headersOf(this.#message.trailersDistinct);
  }
}

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
  const signals = [options.signal, deadline].filter((signal) => signal !== undefined);
  const isWhole = typeof body === "string" || body instanceof Uint8Array;
  const length = isWhole ? { "content-length": String(Buffer.byteLength(body)) } : {};
  const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
    method,
    headers: { ...headers, ...length },
    signal: AbortSignal.any(signals),
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

/** An answer as one of fetch's. */
export async function toResponse(message: IncomingMessage): Promise<ServerResponse> {
  const { statusCode: status } = message;
  if (status === 204 || status === 205 || status === 304) {
    message.resume();
    return new ServerResponse(message, null);
  }
  const isSmall = Number(message.headers["content-length"] ?? Infinity) <= smallBodyBytes;
  const body = isSmall ? Buffer.concat(await message.toArray()) : Readable.toWeb(message);
  return new ServerResponse(message, body);
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
