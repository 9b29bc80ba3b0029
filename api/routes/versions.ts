import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Functions } from "../domain/functions.ts";
import type { Versions } from "../domain/versions.ts";
import { functionName, pageLimit, versionNumber } from "../schema/common.ts";
import { functionPage } from "../schema/function.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const typedVersion = z.coerce.number().pipe(versionNumber);

const list = createRoute({
  method: "get",
  path: "/{name}/versions",
  operationId: "listVersions",
  tags: ["functions"],
  summary: "List a function's versions, newest first",
  request: {
    params: z.object({ name: functionName }),
    query: z.object({
      limit: pageLimit,
      before: typedVersion.optional().openapi({
        type: "integer",
        description: "Cursor: `next` of the page before",
      }),
    }),
  },
  responses: {
    200: jsonAnswer(functionPage, "A page of versions"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{name}/versions/{version}",
  operationId: "deleteVersion",
  tags: ["functions"],
  summary: "Delete a version that is not the latest and that no alias and no schedule names",
  request: {
    params: z.object({
      name: functionName,
      version: typedVersion.openapi({ type: "integer", description: "Number of a version" }),
    }),
  },
  responses: {
    204: { description: "Deleted" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

/** `/v1/functions/{name}/versions`. */
export function versionRoutes(functions: Functions, versions: Versions): OpenAPIHono {
  return createRouter()
    .openapi(list, (context) => {
      const { name } = context.req.valid("param");
      return context.json(versions.list(name, context.req.valid("query")), 200);
    })
    .openapi(remove, (context) => {
      const { name, version } = context.req.valid("param");
      functions.removeVersion(name, version);
      return context.body(null, 204);
    });
}
