import { isAscii } from "node:buffer";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { Answer, StreamedAnswer } from "../domain/invoker.ts";
import { isFraming } from "./framing.ts";
import { isOfOrigin } from "./guest-headers.ts";
import { serverTiming } from "./server-timing.ts";
import { streamedBody } from "./streamed-body.ts";

/** What a route that answers with a function's answer has to know of its connection. */
export type NodeEnv = { Bindings: HttpBindings };

/** A function's answer as its caller gets it. */
export function respond(answer: Answer | StreamedAnswer, context: Context<NodeEnv>): Response {
  const { record, status } = answer;
  const own: Record<string, string> = {
    "content-type": answer.contentType,
    "runlet-invocation-id": record.id,
    "runlet-start": record.start ?? "cold",
    "runlet-trace-id": record.traceId,
    "server-timing": serverTiming(record),
  };
  if (record.functionVersion !== undefined) {
    own["runlet-function-version"] = String(record.functionVersion);
  }
  if ("stream" in answer) {
    const { stream, logTail } = answer;
    // Nobody reads the body of an answer to HEAD.
    if (context.req.raw.method === "HEAD") stream.leave();
    // A trailer goes after chunks, which HTTP/1.0 has none of.
    const trailer = context.env.incoming.httpVersion === "1.0" ? undefined : logTail;
    if (trailer !== undefined) Object.assign(own, trailerHead);
    const body = streamedBody(stream, context.env, trailer);
    return new Response(body, { status, headers: merged(answer.headers, own) });
  }
  if (answer.logTail !== undefined) own["runlet-log-tail"] = answer.logTail;
  if (answer.isReplayed) own["runlet-idempotent-replay"] = "true";
  if (answer.truncated) own["runlet-truncated"] = "true";
  const body = isBodiless(status) ? null : bodyOf(answer);
  return new Response(body, { status, headers: merged(answer.headers, own) });
}

/**
 * Node sends a text in one piece with the head, and bytes in a second one. A head that goes with a text goes as
 * UTF-8, though, which is not what its bytes over 127 mean.
 */
function bodyOf({ body: bytes, contentType, headers }: Answer): string | Uint8Array<ArrayBuffer> {
  const isPlain = isAsciiText(contentType) && headers.every(([, text]) => isAsciiText(text));
  const isText = bytes.byteLength <= joinedBytes && isPlain && isAscii(bytes);
  // The type wants bytes of which nobody shares the memory; these are of a socket's own buffer.
  return isText
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
    : (bytes as Uint8Array<ArrayBuffer>);
}

function isAsciiText(text: string): boolean {
  return !/[\u0080-\u00ff]/.test(text);
}

const joinedBytes = 16 * 1024;

/** A plain object where the function has no headers of its own: `Headers` checks and sorts what needs neither. */
function merged(
  given: Answer["headers"],
  own: Record<string, string>,
): Headers | Record<string, string> {
  if (given.length === 0) return own;
  const headers = new Headers();
  const connection = given.find(([name]) => name.toLowerCase() === "connection")?.[1];
  for (const [name, value] of given) {
    const lower = name.toLowerCase();
    // Cookies are what functions know their callers by.
    const isOwn = lower === "set-cookie" || !isOfOrigin(lower);
    if (isOwn && !isFraming(lower, connection)) headers.append(name, value);
  }
  for (const [name, value] of Object.entries(own)) headers.set(name, value);
  return headers;
}

/** Chunked from the start: what is written within a moment would be sent with its length, and without a trailer. */
const trailerHead = { trailer: "Runlet-Log-Tail", "transfer-encoding": "chunked" };

function isBodiless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}
