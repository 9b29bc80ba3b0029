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
  const { id, traceparent, deadlineAtMs, request } = invoke;
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
      ...(traceparent !== undefined && { "Lambda-Runtime-Trace-Id": xrayTraceOf(traceparent) }),
    },
    // Clients parse what they get, and no bytes are no JSON.
    body: body.length === 0 && contentType.startsWith(json) ? Buffer.from("{}") : body,
  };
}

/** The same trace context in the words of AWS X-Ray. */
function xrayTraceOf(traceparent: string): string {
  const [, id = "", parent = "", flags] = traceparent.split("-");
  return `Root=1-${id.slice(0, 8)}-${id.slice(8)};Parent=${parent};Sampled=${flags === "00" ? 0 : 1}`;
}
