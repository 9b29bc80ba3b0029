import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Concurrency } from "../domain/concurrency.ts";
import type { Functions } from "../domain/functions.ts";
import { functionName, pageLimit } from "../schema/common.ts";
import {
  deployCheck,
  deployed,
  functionDetail,
  functionPage,
  functionSpec,
} from "../schema/function.ts";
import { conditionOf, deletionHeaders, etag, putHeaders, revised } from "./condition.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ name: functionName });

const put = createRoute({
  method: "put",
  path: "/{name}",
  operationId: "deployFunction",
  tags: ["functions"],
  summary: "Deploy a function: a new version, checked by loading it once",
  request: {
    params,
    headers: putHeaders,
    query: z.object({ check: deployCheck }),
    body: { content: { "application/json": { schema: functionSpec } }, required: true },
  },
  responses: {
    200: { ...jsonAnswer(deployed, "Nothing differs from the latest version"), ...revised },
    201: { ...jsonAnswer(deployed, "The new version"), ...revised },
    ...problemAnswers(
      "invalid_argument",
      "not_found",
      "condition_not_met",
      "failed_precondition",
      "payload_too_large",
      "cancelled",
      "runtime_failed",
      "resource_exhausted",
      "unavailable",
      "deadline_exceeded",
    ),
  },
});

const get = createRoute({
  method: "get",
  path: "/{name}",
  operationId: "getFunction",
  tags: ["functions"],
  summary: "Show a function's latest version, or the one asked for",
  request: {
    params,
    query: z.object({
      version: z.coerce
        .number()
        .int()
        .positive()
        .optional()
        .openapi({ description: "Number of a version; the latest by default" }),
    }),
  },
  responses: {
    200: { ...jsonAnswer(functionDetail, "The version"), ...revised },
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listFunctions",
  tags: ["functions"],
  summary: "List functions by name, each with its latest version",
  request: {
    query: z.object({
      limit: pageLimit,
      after: functionName.optional().openapi({ description: "Cursor: `next` of the page before" }),
    }),
  },
  responses: {
    200: jsonAnswer(functionPage, "A page of functions"),
    ...problemAnswers("invalid_argument"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{name}",
  operationId: "deleteFunction",
  tags: ["functions"],
  summary:
    "Delete a function with all its versions and aliases, unless a schedule names it; its invocations stay on record",
  request: { params, headers: deletionHeaders },
  responses: {
    204: { description: "Deleted" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition", "condition_not_met"),
  },
});

/** `/v1/functions` without the invocations. */
export function functionRoutes(functions: Functions, concurrency: Concurrency): OpenAPIHono {
  return createRouter()
    .openapi(put, async (context) => {
      const { name } = context.req.valid("param");
      const { version, created } = await functions.deploy(name, context.req.valid("json"), {
        check: context.req.valid("query").check === "true",
        condition: conditionOf(context.req.valid("header")),
        signal: context.req.raw.signal,
      });
      context.header("etag", etag(version.revisionId));
      return context.json(version, created ? 201 : 200);
    })
    .openapi(get, (context) => {
      const { name } = context.req.valid("param");
      const version = functions.get(name, context.req.valid("query").version);
      const functionConcurrency = concurrency.get(name);
      const isSet = Object.keys(functionConcurrency).length > 0;
      context.header("etag", etag(version.revisionId));
      return context.json({ ...version, ...(isSet && { functionConcurrency }) }, 200);
    })
    .openapi(list, (context) => context.json(functions.list(context.req.valid("query")), 200))
    .openapi(remove, (context) => {
      const { name } = context.req.valid("param");
      functions.remove(name, conditionOf(context.req.valid("header")));
      return context.body(null, 204);
    });
}
