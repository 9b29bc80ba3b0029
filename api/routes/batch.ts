import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { TypedResponse } from "hono";
import type { JSONParsed } from "hono/utils/types";
import { RunletError } from "../domain/errors.ts";
import type { Answer, Invoker } from "../domain/invoker.ts";
import { isUtf8 } from "../domain/text.ts";
import { type BatchItem, batchRequest, type BatchResult, batchResult } from "../schema/batch.ts";
import { functionReference } from "../schema/common.ts";
import { elementsIn } from "./array-elements.ts";
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
    // Each event and answer is passed on as it is written: what JavaScript makes of its numbers may be others.
    const answers = elementsIn(await context.req.text()).map(async (text) => {
      const event = Buffer.from(text.trim());
      return await invoker
        .invoke({ ...call, event })
        .then(itemOf, (failure) => failedItem(failure));
    });
    const items = await Promise.all(answers);
    const headers = { "content-type": "application/json" };
    return context.body(`{"items":[${items.join()}]}`, 200, headers) as unknown as Told;
  });
}

/** An answer whose JSON is written here. */
type Told = TypedResponse<JSONParsed<BatchResult>, 200, "json">;

/** As JSON. */
function itemOf({ record, status, contentType, body }: Answer): string {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const about: BatchItem = { invocationId: record.id, status, contentType };
  if (bytes.length > maxAnswerBytes) return failedItem(tooLarge(bytes.length), record.id);
  const isOfJson = /[/+]json\b/.test(contentType);
  if (!(isOfJson || contentType.startsWith("text/")) || !isUtf8(bytes)) {
    return JSON.stringify({ ...about, answerBase64: bytes.toString("base64") });
  }
  const text = bytes.toString();
  const answer = isOfJson && isJson(text) ? text : JSON.stringify(text);
  return `${JSON.stringify(about).slice(0, -1)},"answer":${answer}}`;
}

/** As JSON. */
function failedItem(failure: unknown, id?: string): string {
  const error = problemOf(failure);
  const { invocationId = id, status } = error;
  const item: BatchItem = { ...(invocationId !== undefined && { invocationId }), status, error };
  return JSON.stringify(item);
}

function tooLarge(length: number): RunletError {
  return new RunletError(
    "payload_too_large",
    `Cannot answer in a batch: the answer has ${length} bytes, and at most ${maxAnswerBytes} are taken. Invoke with this event alone`,
  );
}

/** A function may call anything JSON. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
