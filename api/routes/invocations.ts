import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Invocations } from "../domain/invocations.ts";
import { invocationId } from "../schema/common.ts";
import { invocationDetail, invocationFilter, invocationPage } from "../schema/invocation.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ id: invocationId });

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listInvocations",
  tags: ["invocations"],
  summary: "List invocations, newest first",
  request: { query: invocationFilter },
  responses: {
    200: jsonAnswer(invocationPage, "A page of invocations"),
    ...problemAnswers("invalid_argument"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "getInvocation",
  tags: ["invocations"],
  summary: "Show one invocation with its output",
  request: { params },
  responses: {
    200: jsonAnswer(invocationDetail, "The record"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const cancel = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "cancelInvocation",
  tags: ["invocations"],
  summary: "Cancel a running invocation",
  request: { params },
  responses: {
    200: jsonAnswer(invocationDetail, "The record of the cancelled invocation"),
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

/** `/v1/invocations`. */
export function invocationRoutes(invocations: Invocations): OpenAPIHono {
  return createRouter()
    .openapi(list, (context) => context.json(invocations.list(context.req.valid("query")), 200))
    .openapi(get, (context) => context.json(invocations.get(context.req.valid("param").id), 200))
    .openapi(cancel, async (context) => {
      const { id } = context.req.valid("param");
      return context.json(await invocations.cancel(id, context.req.raw.signal), 200);
    });
}
