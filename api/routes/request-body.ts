import type { Context } from "hono";
import { BodyStream, eventTooLarge } from "../domain/body-stream.ts";
import type { Call } from "../domain/invoker.ts";
import type { NodeEnv } from "./respond.ts";

export interface BodyBounds {
  /** Of a body that is taken as a whole. */
  maxEventBytes: number;
  /** Of one that its function reads as it comes. */
  maxStreamedRequestBytes: number;
}

/** A body up to this size has mostly arrived with its head: to stream it would only be slower. */
const promptBytes = 64 * 1024;

/**
 * The body of a request as its function gets it: whole where it is small or the function cannot have it
 * otherwise, else as it comes. @throws `payload_too_large` over the bound of its kind.
 */
export async function bodyOf(
  { req, env: { incoming } }: Context<NodeEnv>,
  mayStream: boolean,
  { maxEventBytes, maxStreamedRequestBytes }: BodyBounds,
): Promise<Pick<Call, "event" | "body">> {
  const { "content-length": length, "transfer-encoding": encoding } = incoming.headers;
  if (length === undefined && encoding === undefined) return { event: Buffer.alloc(0) };
  const isBodiless = req.method === "GET" || req.method === "HEAD";
  const isPrompt = Number(length) <= Math.min(promptBytes, maxEventBytes);
  const isStreamed = mayStream && !isPrompt && !isBodiless;
  const maxBytes = isStreamed ? maxStreamedRequestBytes : maxEventBytes;
  if (Number(length) > maxBytes) throw eventTooLarge(maxBytes);
  if (isPrompt || isBodiless) return { event: Buffer.from(await req.arrayBuffer()) };
  const body = new BodyStream(incoming, maxBytes);
  return isStreamed ? { event: Buffer.alloc(0), body } : { event: await body.collect() };
}
