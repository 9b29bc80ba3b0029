import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Logs } from "../domain/logs.ts";
import { functionName, invocationId } from "../schema/common.ts";
import { followEvent } from "../schema/follow.ts";
import { eventStream } from "./event-stream.ts";
import { createRouter } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const responses = {
  200: {
    description: "Server-sent events, each with JSON as its data and that one's type as its name",
    content: { "text/event-stream": { schema: followEvent } },
  },
  ...problemAnswers("invalid_argument", "not_found", "resource_exhausted"),
};

const followFunction = createRoute({
  method: "get",
  path: "/functions/{name}/logs/follow",
  operationId: "followFunction",
  tags: ["logs"],
  summary: "Follow what the invocations of a function write, from now on",
  request: { params: z.object({ name: functionName }) },
  responses,
});

const followInvocation = createRoute({
  method: "get",
  path: "/invocations/{id}/logs/follow",
  operationId: "followInvocation",
  tags: ["logs"],
  summary: "Follow what a running invocation writes, from now on to its end",
  request: { params: z.object({ id: invocationId }) },
  responses,
});

/** `/v1/functions/{name}/logs` and `/v1/invocations/{id}/logs`. */
export function followRoutes(logs: Logs): OpenAPIHono {
  const router = createRouter();
  router.openapi(followFunction, (context) =>
    eventStream(logs.followFunction(context.req.valid("param").name)),
  );
  router.openapi(followInvocation, (context) =>
    eventStream(logs.followInvocation(context.req.valid("param").id)),
  );
  return router;
}
