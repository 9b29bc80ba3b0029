import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Statistics } from "../domain/statistics.ts";
import { functionName } from "../schema/common.ts";
import { functionStatistics, statisticsQuery } from "../schema/statistics.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const get = createRoute({
  method: "get",
  path: "/{name}/statistics",
  operationId: "getStatistics",
  tags: ["functions"],
  summary: "Show what a function's invocations come to: errors, times, starts",
  request: { params: z.object({ name: functionName }), query: statisticsQuery },
  responses: {
    200: jsonAnswer(functionStatistics, "The figures"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

/** `/v1/functions/{name}/statistics`. */
export function statisticsRoutes(statistics: Statistics): OpenAPIHono {
  return createRouter().openapi(get, (context) => {
    const { name } = context.req.valid("param");
    return context.json(statistics.of(name, context.req.valid("query").windowMs), 200);
  });
}
