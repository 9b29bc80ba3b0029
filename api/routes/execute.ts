import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Executor } from "../domain/executor.ts";
import { traceIdOfParent } from "../domain/trace.ts";
import { executeRequest, executeResult } from "../schema/execute.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const execute = createRoute({
  method: "post",
  path: "/",
  operationId: "execute",
  tags: ["execute"],
  summary: "Run a snippet or files once in a fresh container",
  description:
    "The answer is 200 however the program ended: its exit code, signal and reason are in the body.",
  request: {
    body: { content: { "application/json": { schema: executeRequest } }, required: true },
  },
  responses: {
    200: jsonAnswer(executeResult, "How it ended, and its output"),
    ...problemAnswers(
      "invalid_argument",
      "not_found",
      "payload_too_large",
      "resource_exhausted",
      "cancelled",
      "runtime_failed",
      "unavailable",
      "deadline_exceeded",
    ),
  },
});

/** `/v1/execute`. */
export function executeRoutes(executor: Executor): OpenAPIHono {
  return createRouter().openapi(execute, async (context) => {
    const traceId = traceIdOfParent(context.req.header("traceparent"));
    const signal = context.req.raw.signal;
    const result = await executor.execute(context.req.valid("json"), { signal, traceId });
    return context.json(result, 200, { "runlet-trace-id": result.traceId });
  });
}
