import type { Socket } from "node:net";
import { Readable } from "node:stream";
import makeConnector from "undici/lib/core/connect.js";
import Agent from "undici/lib/dispatcher/agent.js";
import { ConnectionError } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import type { ServerResponse } from "./server-response.ts";

export interface SendOptions {
  method: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  signal?: AbortSignal | undefined;
  /** How long the whole exchange may take; without it, only `signal` ends it. */
  timeoutMs?: number;
}

/** The connections that are being opened, and who waits for one. */
const connecting = new Set<Socket>();
const queued = new Set<Exchange>();
const openSocket = makeConnector({ timeout: 0, allowH2: false });
// All of undici takes three times as long to load, for which each command of the CLI would wait. An invocation may run
// for a quarter of an hour: nothing is too late but by what the caller says.
const agent = new Agent({
  headersTimeout: 0,
  bodyTimeout: 0,
  connect: (options, done) => {
    const socket = openSocket(options, (...result) => {
      connecting.delete(socket);
      done(...result);
    });
    connecting.add(socket);
  },
});

/**
 * Sends one request and answers once the head of the response is there, however long that takes.
 * @throws ConnectionError, the reason of `signal`, or what the body throws.
 */
export async function send(
  origin: string,
  path: string,
  options: SendOptions,
): Promise<ServerResponse> {
  const { method, headers = {}, body = null, signal, timeoutMs } = options;
  signal?.throwIfAborted();
  const onLate = (): void => exchange.abort(new Error(`no answer within ${timeoutMs} ms`));
  const onAbort = (): void => exchange.abort(signal?.reason as Error);
  const deadline = timeoutMs === undefined ? undefined : setTimeout(onLate, timeoutMs).unref();
  const exchange = new Exchange({
    onUnqueued: () => leaveQueue(exchange),
    onOver: () => {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", onAbort);
    },
  });
  signal?.addEventListener("abort", onAbort, { once: true });
  let broken: { error: unknown } | undefined;
  const onBroken = (error: unknown): void => void (broken = { error });
  const isWhole = body === null || typeof body === "string" || body instanceof Uint8Array;
  const content = isWhole ? body : Readable.from(watched(body, onBroken));
  const request = { origin, path, method: method.toUpperCase(), headers, body: content };
  queued.add(exchange);
  agent.dispatch(request, exchange);
  try {
    return await exchange.answer;
  } catch (cause) {
    // What nobody has begun to read would stay open.
    if (body instanceof Readable) body.destroy();
    signal?.throwIfAborted();
    if (broken !== undefined) throw broken.error;
    if (callersFaults.has(codeOf(cause))) throw cause;
    throw explained(origin, cause);
  }
}

/** A connection that nobody waits for any more would keep the process until it stands. */
function leaveQueue(exchange: Exchange): void {
  queued.delete(exchange);
  if (queued.size > 0) return;
  for (const socket of connecting) socket.destroy(new Error("Nobody waits for it"));
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

/** Why a server could not be reached, or did not answer. */
export function explained(origin: string, cause: unknown): ConnectionError {
  return new ConnectionError(explain(origin, cause), { cause });
}

function explain(origin: string, cause: unknown): string {
  const code = codeOf(cause);
  const said = cause instanceof Error ? cause.message : String(cause);
  const fact = facts[code] ?? (ended.has(code) ? "it ended early" : said);
  return code in facts
    ? `Cannot reach Runlet at ${origin}: ${fact}. Start it with \`runlet serve\`, or name another with --url or RUNLET_URL`
    : `Cannot get an answer from Runlet at ${origin}: ${fact}. The server's log may say why`;
}

const facts: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "no such host",
  EHOSTUNREACH: "no way to that host",
  ENETUNREACH: "no way to that network",
  ETIMEDOUT: "no answer",
};
const ended = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);
/** What undici does not send: a header that is none, or one that it sends itself. */
const callersFaults = new Set([
  "UND_ERR_INVALID_ARG",
  "UND_ERR_NOT_SUPPORTED",
  "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH",
]);

function codeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? "";
}
