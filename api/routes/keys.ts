import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Keys } from "../domain/keys/keys.ts";
import { createdKey, key, keyFilter, keyId, keyPage, newKey } from "../schema/key.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const tags = ["keys"];
const params = z.object({ id: keyId });

const create = createRoute({
  method: "post",
  path: "/",
  operationId: "createKey",
  tags,
  summary: "Make a key, which is shown this once",
  request: { body: { content: { "application/json": { schema: newKey } }, required: true } },
  responses: {
    201: jsonAnswer(createdKey, "The key with all of it"),
    ...problemAnswers("invalid_argument", "payload_too_large"),
  },
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listKeys",
  tags,
  summary: "List keys from the newest, with those that were revoked or have expired",
  request: { query: keyFilter },
  responses: {
    200: jsonAnswer(keyPage, "A page of keys"),
    ...problemAnswers("invalid_argument"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "getKey",
  tags,
  summary: "Show what a key is good for and when it was used last",
  request: { params },
  responses: {
    200: jsonAnswer(key, "The key without what proves that one has it"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const revoke = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "revokeKey",
  tags,
  summary: "Have a key be refused from now on; it stays on record",
  request: { params },
  responses: {
    204: { description: "Revoked" },
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

/** `/v1/keys`. */
export function keyRoutes(keys: Keys): OpenAPIHono {
  return createRouter()
    .openapi(create, (context) => {
      const made = keys.create(context.req.valid("json"));
      const headers = { location: `/v1/keys/${made.id}`, "cache-control": "no-store" };
      return context.json(made, 201, headers);
    })
    .openapi(list, (context) => context.json(keys.list(context.req.valid("query")), 200))
    .openapi(get, (context) => context.json(keys.get(context.req.valid("param").id), 200))
    .openapi(revoke, (context) => {
      keys.revoke(context.req.valid("param").id);
      return context.body(null, 204);
    });
}
