import { Buffer } from "node:buffer";
import type { InvokeMessage, LoadMessage } from "../messages.ts";
import { makeContext } from "../node/context.ts";
import { makeHttpEvent } from "../node/http-event.ts";
import { functionArn } from "./function-arn.ts";

/** An event as the program gets it. */
export interface Delivery {
  readonly id: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Buffer;
}

/** An invocation in the form of the Runtime API; an HTTP request becomes the event of a function URL. */
export function makeDelivery(load: LoadMessage, invoke: InvokeMessage, event: Buffer): Delivery {
  const { id, traceId, deadlineAtMs, request } = invoke;
  const json = "application/json";
  const contentType = request === undefined ? (invoke.contentType ?? json) : json;
  const body =
    request === undefined
      ? event
      : Buffer.from(JSON.stringify(makeHttpEvent(request, event, makeContext(load, invoke))));
  return {
    id,
    headers: {
      "Content-Type": contentType,
      "Lambda-Runtime-Aws-Request-Id": id,
      "Lambda-Runtime-Deadline-Ms": deadlineAtMs,
      "Lambda-Runtime-Invoked-Function-Arn": functionArn(load.functionName, load.functionVersion),
      ...(traceId !== undefined && {
        "Lambda-Runtime-Trace-Id": `Root=1-${traceId.slice(0, 8)}-${traceId.slice(8)}`,
      }),
    },
    // Clients parse what they get, and no bytes are no JSON.
    body: body.length === 0 && contentType.startsWith(json) ? Buffer.from("{}") : body,
  };
}
