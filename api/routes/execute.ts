import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Executor } from "../domain/executor.ts";
import type { Execution } from "../domain/execution.ts";
import { executeEvent, executeRequest, executeResult } from "../schema/execute.ts";
import { eventStream, type Followed } from "./event-stream.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemOf } from "./problem.ts";
import { problemAnswers } from "./problem-answers.ts";
import { traceOf } from "./trace.ts";

const execute = createRoute({
  method: "post",
  path: "/",
  operationId: "execute",
  tags: ["execute"],
  summary: "Run a snippet or files once in a fresh container",
  description:
    "The answer is 200 however the program ended: its exit code, signal and reason are in the body. With " +
    "`Accept: text/event-stream` its output follows as it comes, and how it ended after it; a client that goes " +
    "away cancels it.",
  request: {
    headers: z.object({
      accept: z.string().max(256).optional().openapi({
        description: "`text/event-stream` asks for all of it as it comes",
        example: "text/event-stream",
      }),
    }),
    body: { content: { "application/json": { schema: executeRequest } }, required: true },
  },
  responses: {
    200: {
      ...jsonAnswer(executeResult, "How it ended, and its output; or a stream of both"),
      content: {
        "application/json": { schema: executeResult },
        "text/event-stream": { schema: executeEvent },
      },
    },
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
    const trace = traceOf(context);
    const signal = context.req.raw.signal;
    if ((context.req.valid("header").accept ?? "").includes("text/event-stream")) {
      const execution = await executor.stream(context.req.valid("json"), { signal, trace });
      return eventStream(asTold(execution));
    }
    const result = await executor.execute(context.req.valid("json"), { signal, trace });
    return context.json(result, 200, { "runlet-trace-id": result.traceId });
  });
}

/** What is told of an execution, with a failure as the problem that it would have been answered with. */
function asTold(execution: Execution): Followed {
  return {
    next: async () => {
      const event = await execution.next();
      if (event?.type !== "failed") return event;
      return { type: "failed", problem: problemOf(event.error) };
    },
    [Symbol.dispose]: () => execution[Symbol.dispose](),
  };
}
