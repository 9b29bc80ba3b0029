import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { RunletError } from "../domain/errors.ts";
import type { Answer, Invoker } from "../domain/invoker.ts";
import { isUtf8 } from "../domain/text.ts";
import { type BatchItem, batchRequest, batchResult } from "../schema/batch.ts";
import { functionReference } from "../schema/common.ts";
import { referenceOf } from "./function-reference.ts";
import { traceparentHeader } from "./invoke-headers.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";
import { problemOf } from "./problem.ts";
import { traceOf } from "./trace.ts";

/** The largest answer of one event: all of them are in memory at once. */
const maxAnswerBytes = 1024 * 1024;

const batch = createRoute({
  method: "post",
  path: "/{name}/batch",
  operationId: "invokeBatch",
  tags: ["invocations"],
  summary: "Invoke a function with up to 100 events and wait for all answers",
  description:
    "Each event is an invocation of its own, within the function's usual bounds: one that fails or finds no room does not hold up the others. An answer of more than 1 MiB counts as payload_too_large.",
  parameters: [traceparentHeader],
  request: {
    params: z.object({ name: functionReference }),
    query: z.object({
      qualifier: z
        .string()
        .max(64)
        .optional()
        .openapi({ description: "An alias, or a version other than the latest" }),
    }),
    body: { content: { "application/json": { schema: batchRequest } }, required: true },
  },
  responses: {
    200: jsonAnswer(batchResult, "What each event came to, in the order of the events"),
    ...problemAnswers("invalid_argument", "not_found", "payload_too_large"),
  },
});

/** Invocation of a function with many events. */
export function batchRoutes(invoker: Invoker): OpenAPIHono {
  return createRouter().openapi(batch, async (context) => {
    const { name } = context.req.valid("param");
    const call = {
      ...referenceOf(name, context.req.valid("query").qualifier),
      contentType: "application/json",
      trace: traceOf(context),
      signal: context.req.raw.signal,
    };
    // What is wrong with all of them is the request's own failure.
    invoker.check({ ...call, event: Buffer.from("null") });
    const answers = context.req.valid("json").events.map(async (value) => {
      const event = Buffer.from(JSON.stringify(value));
      return await invoker.invoke({ ...call, event }).then(itemOf, failedItem);
    });
    return context.json({ items: await Promise.all(answers) }, 200);
  });
}

function itemOf({ record, status, contentType, body }: Answer): BatchItem {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.length > maxAnswerBytes) {
    return { ...failedItem(tooLarge(bytes.length)), invocationId: record.id };
  }
  const about = { invocationId: record.id, status, contentType };
  const isJson = /[/+]json\b/.test(contentType);
  if (!(isJson || contentType.startsWith("text/")) || !isUtf8(bytes)) {
    return { ...about, answerBase64: bytes.toString("base64") };
  }
  return { ...about, answer: isJson ? jsonOr(bytes.toString()) : bytes.toString() };
}

function failedItem(failure: unknown): BatchItem {
  const error = problemOf(failure);
  const { invocationId, status } = error;
  return { ...(invocationId !== undefined && { invocationId }), status, error };
}

function tooLarge(length: number): RunletError {
  return new RunletError(
    "payload_too_large",
    `Cannot answer in a batch: the answer has ${length} bytes, and at most ${maxAnswerBytes} are taken. Invoke with this event alone`,
  );
}

/** A function may call anything JSON. */
function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
