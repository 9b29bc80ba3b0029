import type { Buffer } from "node:buffer";
import type { InvokeMessage, LoadMessage } from "../messages.ts";
import { type Answer, encodeAnswer } from "./answer.ts";
import { makeContext } from "./context.ts";
import { decodeEvent, makeRequest } from "./event.ts";
import type { Handler } from "./handler.ts";

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
): Promise<Answer> {
  const context = makeContext(load, invoke);
  return await encodeAnswer(
    handler.kind === "fetch"
      ? await handler.call(makeRequest(invoke, event), context)
      : await handler.call(decodeEvent(invoke.contentType, event), context),
  );
}
