import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Secrets } from "../domain/secrets.ts";
import { pageLimit } from "../schema/common.ts";
import { secretName, secretPage, secretValue } from "../schema/secret.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ name: secretName });

const put = createRoute({
  method: "put",
  path: "/{name}",
  operationId: "setSecret",
  tags: ["secrets"],
  summary: "Set a secret; functions that name it get the new value from their next start on",
  request: {
    params,
    body: { content: { "application/json": { schema: secretValue } }, required: true },
  },
  responses: { 204: { description: "Set" }, ...problemAnswers("invalid_argument") },
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listSecrets",
  tags: ["secrets"],
  summary: "List secrets by name, without their values",
  request: {
    query: z.object({
      limit: pageLimit,
      after: secretName.optional().openapi({ description: "Cursor: `next` of the page before" }),
    }),
  },
  responses: {
    200: jsonAnswer(secretPage, "A page of secrets"),
    ...problemAnswers("invalid_argument"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{name}",
  operationId: "deleteSecret",
  tags: ["secrets"],
  summary: "Delete a secret that no function names",
  request: { params },
  responses: {
    204: { description: "Deleted" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

/** `/v1/secrets`. */
export function secretRoutes(secrets: Secrets): OpenAPIHono {
  return createRouter()
    .openapi(put, (context) => {
      secrets.set(context.req.valid("param").name, context.req.valid("json").value);
      return context.body(null, 204);
    })
    .openapi(list, (context) => context.json(secrets.list(context.req.valid("query")), 200))
    .openapi(remove, (context) => {
      secrets.remove(context.req.valid("param").name);
      return context.body(null, 204);
    });
}
