import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Concurrency } from "../domain/concurrency.ts";
import { functionName } from "../schema/common.ts";
import { functionConcurrency } from "../schema/concurrency.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ name: functionName });

const get = createRoute({
  method: "get",
  path: "/{name}/concurrency",
  operationId: "getConcurrency",
  tags: ["functions"],
  summary: "Show what slots are reserved and how many containers provisioned for a function",
  request: { params },
  responses: {
    200: jsonAnswer(functionConcurrency, "What is set; nothing where nothing is"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const put = createRoute({
  method: "put",
  path: "/{name}/concurrency",
  operationId: "putConcurrency",
  tags: ["functions"],
  summary: "Reserve slots and provision containers for a function; what is left out is unset",
  description:
    "Holds for all versions, and at once. Reserved slots are a guarantee and a bound: no other function gets them, and this one gets no more; `concurrency` of the latest version bounds it further. Refused with `failed_precondition` where less than a tenth of the server's slots, or none, would be left to functions without a reservation. With `reserved` 0 calls are refused with 429, and events wait.",
  request: {
    params,
    body: { content: { "application/json": { schema: functionConcurrency } }, required: true },
  },
  responses: {
    200: jsonAnswer(functionConcurrency, "What is set now"),
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition", "payload_too_large"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{name}/concurrency",
  operationId: "deleteConcurrency",
  tags: ["functions"],
  summary: "Reserve no slots for a function, and provision what its versions say",
  request: { params },
  responses: { 204: { description: "Unset" }, ...problemAnswers("invalid_argument", "not_found") },
});

/** `/v1/functions/{name}/concurrency`. */
export function concurrencyRoutes(concurrency: Concurrency): OpenAPIHono {
  return createRouter()
    .openapi(get, (context) => context.json(concurrency.get(context.req.valid("param").name), 200))
    .openapi(put, (context) => {
      const { name } = context.req.valid("param");
      return context.json(concurrency.set(name, context.req.valid("json")), 200);
    })
    .openapi(remove, (context) => {
      concurrency.remove(context.req.valid("param").name);
      return context.body(null, 204);
    });
}
