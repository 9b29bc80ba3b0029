import type { Buffer } from "node:buffer";
import type { InvokeMessage, LoadMessage } from "../messages.ts";
import { type Answer, encodeAnswer, type StreamedAnswer } from "./answer.ts";
import { makeContext } from "./context.ts";
import { decodeEvent, makeRequest } from "./event.ts";
import type { Handler } from "./handler.ts";
import { encodeHttpAnswer } from "./http-answer.ts";
import { makeHttpEvent } from "./http-event.ts";
import type { Inflow } from "./inflow.ts";

/** Code that is loaded, and what it was loaded as. */
export interface Task {
  readonly load: LoadMessage;
  readonly handler: Handler;
}

/**
 * Calls the handler with an event; throws whatever it throws. One that has not arrived yet is waited for unless
 * the handler takes a Request, which brings it as a stream.
 */
export async function callHandler(
  { load, handler }: Task,
  invoke: InvokeMessage,
  arrived: Buffer,
  inflow: Inflow | undefined,
): Promise<Answer | StreamedAnswer> {
  const context = makeContext(load, invoke);
  if (handler.kind === "fetch") {
    const body = inflow === undefined ? new Uint8Array(arrived) : inflow.stream();
    return await encodeAnswer(await handler.call(makeRequest(invoke, body), context));
  }
  const event = inflow === undefined ? arrived : await inflow.whole();
  const { request } = invoke;
  if (request !== undefined) {
    const httpEvent = makeHttpEvent(request, event, context);
    return await encodeHttpAnswer(await handler.call(httpEvent, context));
  }
  return await encodeAnswer(await handler.call(decodeEvent(invoke.contentType, event), context));
}
