import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Events } from "../domain/events/events.ts";
import { RunletError } from "../domain/errors.ts";
import type { IdempotentInvoker } from "../domain/idempotency.ts";
import type { Invoker } from "../domain/invoker.ts";
import { acceptedEvent } from "../schema/event.ts";
import {
  callbackOf,
  idempotencyKeyOf,
  invokeHeaders,
  isDryRun,
  wantsLogTail,
} from "./invoke-headers.ts";
import { functionReference } from "../schema/common.ts";
import { referenceOf } from "./function-reference.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";
import { prefersAsync } from "./prefer.ts";
import { type NodeEnv, respond } from "./respond.ts";
import { traceOf } from "./trace.ts";

const invoke = createRoute({
  method: "post",
  path: "/{name}/invocations",
  operationId: "invokeFunction",
  tags: ["invocations"],
  summary: "Invoke a function and wait for its answer, or not",
  description:
    "The body is the event: JSON, text or bytes, as its content type says. With `Prefer: respond-async` the answer is 202 once the event is durable, and `Runlet-Callback-Url` is told of its end. Else it is the function's own, with its content type and, from a fetch-style handler, its status and headers. A handler that streams is answered as it writes, and where it fails in the middle, the body is broken off without a trailer; with an idempotency key its answer comes as a whole.",
  parameters: invokeHeaders,
  request: {
    params: z.object({ name: functionReference }),
    query: z.object({
      qualifier: z
        .string()
        .max(64)
        .optional()
        .openapi({ description: "An alias, or a version other than the latest" }),
    }),
    body: {
      content: { "*/*": { schema: z.unknown(), example: { name: "Ada" } } },
      required: false,
    },
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
      content: { "*/*": { schema: z.unknown(), example: { hello: "Ada" } } },
    },
    202: {
      ...jsonAnswer(acceptedEvent, "The event is queued"),
      headers: z.object({ "Preference-Applied": z.string(), Location: z.string() }),
    },
    204: { description: "All was well with a dry run, or the function's answer has no body" },
    ...problemAnswers(
      "invalid_argument",
      "not_found",
      "failed_precondition",
      "payload_too_large",
      "idempotency_key_reused",
      "resource_exhausted",
      "cancelled",
      "runtime_failed",
      "function_error",
      "protocol_violation",
      "unavailable",
      "function_timeout",
      "deadline_exceeded",
    ),
  },
});

export interface InvokeRouteOptions {
  invoker: Invoker;
  events: Events;
  idempotent: IdempotentInvoker;
}

/** Invocation of functions. The body is taken as it comes: the function decides what it means. */
export function invokeRoutes({
  invoker,
  events,
  idempotent,
}: InvokeRouteOptions): OpenAPIHono<NodeEnv> {
  return createRouter<NodeEnv>().openapi(invoke, async (context) => {
    const event = Buffer.from(await context.req.arrayBuffer());
    const call = {
      ...referenceOf(context.req.valid("param").name, context.req.valid("query").qualifier),
      contentType: context.req.header("content-type"),
      trace: traceOf(context),
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
    const callback = callbackOf(
      context.req.header("runlet-callback-url"),
      context.req.header("runlet-callback-secret"),
    );
    if (prefersAsync(context.req.header("prefer"))) {
      const accept = { ...call, body: event, source: "api", callback };
      const { eventId, isReplayed } =
        key === undefined
          ? { eventId: await events.accept(accept), isReplayed: false }
          : await idempotent.accept({ ...accept, key });
      return context.json({ eventId }, 202, {
        "preference-applied": "respond-async",
        location: `/v1/events/${eventId}`,
        ...(isReplayed && { "runlet-idempotent-replay": "true" }),
      });
    }
    if (callback !== undefined) throw callbackOfWaiting();
    if (key !== undefined) return respond(await idempotent.invoke({ ...request, key }), context);
    return respond(await invoker.open(request), context);
  });
}

function callbackOfWaiting(): RunletError {
  return new RunletError(
    "invalid_argument",
    "Cannot take a callback for a call that waits for its answer. Ask for one with Prefer: respond-async",
  );
}
