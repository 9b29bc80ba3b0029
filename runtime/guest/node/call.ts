import type { Buffer } from "node:buffer";
import type { InvokeMessage, LoadMessage } from "../messages.ts";
import { type Answer, encodeAnswer, type StreamedAnswer } from "./answer.ts";
import { makeContext } from "./context.ts";
import { decodeEvent, makeRequest } from "./event.ts";
import type { Handler } from "./handler.ts";
import { encodeHttpAnswer } from "./http-answer.ts";
import { makeHttpEvent } from "./http-event.ts";

/** Code that is loaded, and what it was loaded as. */
export interface Task {
  readonly load: LoadMessage;
  readonly handler: Handler;
}

/** Calls the handler with an event; throws whatever it throws. */
export async function callHandler(
  { load, handler }: Task,
  invoke: InvokeMessage,
  event: Buffer,
): Promise<Answer | StreamedAnswer> {
  const context = makeContext(load, invoke);
  if (handler.kind === "fetch") {
    return await encodeAnswer(await handler.call(makeRequest(invoke, event), context));
  }
  const { request } = invoke;
  if (request !== undefined) {
    const httpEvent = makeHttpEvent(request, event, context);
    return await encodeHttpAnswer(await handler.call(httpEvent, context));
  }
  return await encodeAnswer(await handler.call(decodeEvent(invoke.contentType, event), context));
}
