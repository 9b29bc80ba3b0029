import { Readable } from "node:stream";
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

// All of undici takes three times as long to load, for which each command of the CLI would wait. An invocation may run
// for a quarter of an hour: no answer is too late but by what the caller says.
const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

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
  let isLate = false;
  const onLate = (): void => {
    isLate = true;
    exchange.abort(new Error("it took too long"));
  };
  const onAbort = (): void => exchange.abort(signal?.reason as Error);
  const deadline = timeoutMs === undefined ? undefined : setTimeout(onLate, timeoutMs).unref();
  const exchange = new Exchange(() => {
    clearTimeout(deadline);
    signal?.removeEventListener("abort", onAbort);
  });
  signal?.addEventListener("abort", onAbort, { once: true });
  let broken: { error: unknown } | undefined;
  const onBroken = (error: unknown): void => void (broken = { error });
  const isWhole = body === null || typeof body === "string" || body instanceof Uint8Array;
  const content = isWhole ? body : Readable.from(watched(body, onBroken));
  agent.dispatch({ origin, path, method, headers, body: content }, exchange);
  try {
    return await exchange.answer;
  } catch (cause) {
    signal?.throwIfAborted();
    if (broken !== undefined) throw broken.error;
    throw explained(origin, cause, isLate ? `no answer within ${timeoutMs} ms` : undefined);
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

/** Why a server could not be reached, or did not answer. */
export function explained(origin: string, cause: unknown, late?: string): ConnectionError {
  return new ConnectionError(explain(origin, cause, late), { cause });
}

function explain(origin: string, cause: unknown, late: string | undefined): string {
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  const said = cause instanceof Error ? cause.message : String(cause);
  const fact = late ?? facts[code] ?? (ended.has(code) ? "it ended early" : said);
  return late === undefined && code in facts
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
  UND_ERR_CONNECT_TIMEOUT: "no answer",
};
const ended: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);
