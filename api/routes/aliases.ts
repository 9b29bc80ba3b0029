import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Aliases } from "../domain/aliases.ts";
import { alias, aliasName, aliasPage, aliasTarget, newAlias } from "../schema/alias.ts";
import { functionName, pageLimit } from "../schema/common.ts";
import { conditionOf, deletionHeaders, etag, putHeaders, revised } from "./condition.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const ofFunction = z.object({ name: functionName });
const params = ofFunction.extend({ alias: aliasName });

const create = createRoute({
  method: "post",
  path: "/{name}/aliases",
  operationId: "createAlias",
  tags: ["aliases"],
  summary: "Create an alias of a function",
  request: {
    params: ofFunction,
    body: { content: { "application/json": { schema: newAlias } }, required: true },
  },
  responses: {
    201: { ...jsonAnswer(alias, "The new alias"), ...revised },
    ...problemAnswers("invalid_argument", "not_found", "already_exists", "payload_too_large"),
  },
});

const list = createRoute({
  method: "get",
  path: "/{name}/aliases",
  operationId: "listAliases",
  tags: ["aliases"],
  summary: "List a function's aliases by name",
  request: {
    params: ofFunction,
    query: z.object({
      limit: pageLimit,
      after: aliasName.optional().openapi({ description: "Cursor: `next` of the page before" }),
    }),
  },
  responses: {
    200: jsonAnswer(aliasPage, "A page of aliases"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{name}/aliases/{alias}",
  operationId: "getAlias",
  tags: ["aliases"],
  summary: "Show an alias; its revision id is its ETag",
  request: { params },
  responses: {
    200: { ...jsonAnswer(alias, "The alias"), ...revised },
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const put = createRoute({
  method: "put",
  path: "/{name}/aliases/{alias}",
  operationId: "putAlias",
  tags: ["aliases"],
  summary: "Set where an alias sends calls; creates it if there is none",
  request: {
    params,
    headers: putHeaders,
    body: { content: { "application/json": { schema: aliasTarget } }, required: true },
  },
  responses: {
    200: { ...jsonAnswer(alias, "The alias as it is now"), ...revised },
    201: { ...jsonAnswer(alias, "The new alias"), ...revised },
    ...problemAnswers("invalid_argument", "not_found", "condition_not_met", "payload_too_large"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{name}/aliases/{alias}",
  operationId: "deleteAlias",
  tags: ["aliases"],
  summary: "Delete an alias, unless a schedule names it; its versions stay",
  request: { params, headers: deletionHeaders },
  responses: {
    204: { description: "Deleted" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition", "condition_not_met"),
  },
});

/** `/v1/functions/{name}/aliases`. */
export function aliasRoutes(aliases: Aliases): OpenAPIHono {
  return createRouter()
    .openapi(create, (context) => {
      const { name, ...target } = context.req.valid("json");
      const created = aliases.create(context.req.valid("param").name, name, target);
      context.header("etag", etag(created.revisionId));
      return context.json(created, 201);
    })
    .openapi(list, (context) => {
      const { name } = context.req.valid("param");
      return context.json(aliases.list(name, context.req.valid("query")), 200);
    })
    .openapi(get, (context) => {
      const named = context.req.valid("param");
      const found = aliases.get(named.name, named.alias);
      context.header("etag", etag(found.revisionId));
      return context.json(found, 200);
    })
    .openapi(put, (context) => {
      const named = context.req.valid("param");
      const condition = conditionOf(context.req.valid("header"));
      const target = context.req.valid("json");
      const done = aliases.put(named.name, named.alias, target, condition);
      context.header("etag", etag(done.alias.revisionId));
      return context.json(done.alias, done.created ? 201 : 200);
    })
    .openapi(remove, (context) => {
      const named = context.req.valid("param");
      aliases.remove(named.name, named.alias, conditionOf(context.req.valid("header")));
      return context.body(null, 204);
    });
}
