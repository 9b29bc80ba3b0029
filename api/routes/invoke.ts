import { isAscii } from "node:buffer";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Events } from "../domain/events/events.ts";
import { RunletError } from "../domain/errors.ts";
import type { IdempotentInvoker } from "../domain/idempotency.ts";
import type { Answer, Invoker } from "../domain/invoker.ts";
import { traceIdOfParent } from "../domain/trace.ts";
import { functionName } from "../schema/common.ts";
import { acceptedEvent } from "../schema/event.ts";
import { idempotencyKeyOf, invokeHeaders, isDryRun, wantsLogTail } from "./invoke-headers.ts";
import { isFraming } from "./framing.ts";
import { createRouter, jsonAnswer, problemAnswers } from "./openapi.ts";
import { prefersAsync } from "./prefer.ts";
import { serverTiming } from "./server-timing.ts";

const invoke = createRoute({
  method: "post",
  path: "/{name}/invocations",
  summary: "Invoke a function and wait for its answer, or not",
  description:
    "The body is the event: JSON, text or bytes, as its content type says. With `Prefer: respond-async` the answer is 202 once the event is durable. Else it is the function's own, with its content type and, from a fetch-style handler, its status and headers.",
  parameters: invokeHeaders,
  request: {
    params: z.object({ name: functionName }),
    query: z.object({ qualifier: z.string().max(64).optional() }),
    body: { content: { "*/*": { schema: z.unknown() } }, required: false },
  },
  responses: {
    200: {
      description: "The function's answer",
      headers: z.object({
        "Runlet-Invocation-Id": z.string(),
        "Runlet-Function-Version": z.string(),
        "Runlet-Start": z.string(),
        "Runlet-Trace-Id": z.string(),
        "Runlet-Log-Tail": z.string().optional(),
        "Server-Timing": z.string(),
      }),
      content: { "*/*": { schema: z.unknown() } },
    },
    202: {
      ...jsonAnswer(acceptedEvent, "The event is queued"),
      headers: z.object({ "Preference-Applied": z.string(), Location: z.string() }),
    },
    204: { description: "All was well with a dry run, or the function's answer has no body" },
    ...problemAnswers,
  },
});

export interface InvokeRouteOptions {
  invoker: Invoker;
  events: Events;
  idempotent: IdempotentInvoker;
}

/** Invocation of functions. The body is taken as it comes: the function decides what it means. */
export function invokeRoutes({ invoker, events, idempotent }: InvokeRouteOptions): OpenAPIHono {
  return createRouter().openapi(invoke, async (context) => {
    const event = Buffer.from(await context.req.arrayBuffer());
    const call = {
      name: context.req.valid("param").name,
      qualifier: context.req.valid("query").qualifier,
      contentType: context.req.header("content-type"),
      traceId: traceIdOfParent(context.req.header("traceparent")),
    };
    const request = {
      ...call,
      event,
      wantsLogTail: wantsLogTail(context.req.header("runlet-log")),
      signal: context.req.raw.signal,
    };
    if (isDryRun(context.req.header("runlet-dry-run"))) {
      const { version } = invoker.check(request);
      return context.body(null, 204, { "runlet-function-version": String(version) });
    }
    const key = idempotencyKeyOf(context.req.header("idempotency-key"));
    if (prefersAsync(context.req.header("prefer"))) {
      if (key !== undefined) throw keyedEvent();
      const eventId = await events.accept({ ...call, body: event, source: "api" });
      const location = `/v1/events/${eventId}`;
      return context.json({ eventId }, 202, { "preference-applied": "respond-async", location });
    }
    if (key === undefined) return respond(await invoker.invoke(request));
    return respond(await idempotent.invoke({ ...request, key }));
  });
}

function keyedEvent(): RunletError {
  return new RunletError(
    "invalid_argument",
    "Cannot queue the event: an Idempotency-Key goes with a call that waits for its answer. Leave one of the two out",
  );
}

/** A function's answer as its caller gets it. */
export function respond(answer: Answer): Response {
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
  if (answer.logTail !== undefined) own["runlet-log-tail"] = answer.logTail;
  if (answer.truncated) own["runlet-truncated"] = "true";
  if (answer.isReplayed) own["runlet-idempotent-replay"] = "true";
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
    if (!isFraming(name.toLowerCase(), connection)) headers.append(name, value);
  }
  for (const [name, value] of Object.entries(own)) headers.set(name, value);
  return headers;
}

function isBodiless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}
