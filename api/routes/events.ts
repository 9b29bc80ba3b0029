import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Events } from "../domain/events/events.ts";
import { eventId } from "../schema/common.ts";
import { eventDetail, eventFilter, eventPage } from "../schema/event.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ id: eventId });

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listEvents",
  tags: ["events"],
  summary: "List events that were accepted, newest first",
  request: { query: eventFilter },
  responses: {
    200: jsonAnswer(eventPage, "A page of events"),
    ...problemAnswers("invalid_argument"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "getEvent",
  tags: ["events"],
  summary: "Show one event with its invocations; one that succeeded is kept for a day",
  request: { params },
  responses: {
    200: jsonAnswer(eventDetail, "The event"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const cancel = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "cancelEvent",
  tags: ["events"],
  summary: "Cancel an event that waits: it is removed",
  request: { params },
  responses: {
    204: { description: "Removed" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

/** `/v1/events`. */
export function eventRoutes(events: Events): OpenAPIHono {
  return createRouter()
    .openapi(list, async (context) => {
      return context.json(await events.list(context.req.valid("query")), 200);
    })
    .openapi(get, async (context) => {
      return context.json(await events.get(context.req.valid("param").id), 200);
    })
    .openapi(cancel, async (context) => {
      await events.cancel(context.req.valid("param").id);
      return context.body(null, 204);
    });
}
