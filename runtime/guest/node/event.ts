import type { Buffer } from "node:buffer";
import type { InvokeMessage } from "../messages.ts";

const { parse } = JSON;

/**
 * The event as the handler gets it: a JSON value, a string for text, else bytes.
 * @throws InvalidEvent if the body is not the JSON that it claims to be.
 */
export function decodeEvent(contentType: string | undefined, body: Buffer): unknown {
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "application/json";
  if (type === "application/json" || type.endsWith("+json")) return decodeJson(body);
  if (type.startsWith("text/")) return body.toString("utf8");
  return body;
}

/**
 * The invocation as a web Request; one that did not come over HTTP is a POST of its event.
 * @throws InvalidEvent if the request is none that the web knows.
 */
export function makeRequest(
  invoke: InvokeMessage,
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
): Request {
  const { request, contentType } = invoke;
  const method = request?.method ?? "POST";
  const hasBody = method !== "GET" && method !== "HEAD";
  try {
    const headers = new Headers(
      request?.headers.map(([name, text]): [string, string] => [name, text]),
    );
    if (!headers.has("content-type")) {
      headers.set("content-type", contentType ?? "application/json");
    }
    return new Request(request?.url ?? "http://localhost/", {
      method,
      headers,
      // Undici wants the last of a stream; of bytes it means nothing.
      ...(hasBody ? { body, duplex: "half" } : {}),
    });
  } catch (cause) {
    throw invalid("make a Request", cause);
  }
}

function decodeJson(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return parse(body.toString("utf8")) as unknown;
  } catch (cause) {
    throw invalid("read the event as JSON", cause);
  }
}

function invalid(what: string, cause: unknown): Error {
  const error = new Error(`Cannot ${what}: ${(cause as Error).message}`, { cause });
  error.name = "InvalidEvent";
  return error;
}
