import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { DeadLetters } from "../domain/events/dead-letters.ts";
import { eventId } from "../schema/common.ts";
import {
  deadLetter,
  deadLetterFilter,
  deadLettersOf,
  event,
  eventCount,
  eventPage,
} from "../schema/event.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ id: eventId });

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listDeadLetters",
  tags: ["dead letters"],
  summary: "List events that were given up, newest first",
  request: { query: deadLetterFilter },
  responses: {
    200: jsonAnswer(eventPage, "A page of events"),
    ...problemAnswers("invalid_argument"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "getDeadLetter",
  tags: ["dead letters"],
  summary: "Show an event that was given up, with its body and its last error",
  request: { params },
  responses: {
    200: jsonAnswer(deadLetter, "The event"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const redriveAll = createRoute({
  method: "post",
  path: "/redrive",
  operationId: "redriveDeadLetters",
  tags: ["dead letters"],
  summary: "Queue all events of a function anew that were given up",
  request: {
    body: { content: { "application/json": { schema: deadLettersOf } }, required: true },
  },
  responses: {
    200: jsonAnswer(eventCount, "How many there were"),
    ...problemAnswers("invalid_argument"),
  },
});

const redrive = createRoute({
  method: "post",
  path: "/{id}/redrive",
  operationId: "redriveDeadLetter",
  tags: ["dead letters"],
  summary: "Queue an event anew that was given up: its attempts and its age begin again",
  request: { params },
  responses: {
    200: jsonAnswer(event, "The event, queued"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "deleteDeadLetter",
  tags: ["dead letters"],
  summary: "Remove an event that was given up",
  request: { params },
  responses: {
    204: { description: "Removed" },
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const purge = createRoute({
  method: "delete",
  path: "/",
  operationId: "purgeDeadLetters",
  tags: ["dead letters"],
  summary: "Remove all events of a function that were given up",
  request: { query: deadLettersOf },
  responses: {
    200: jsonAnswer(eventCount, "How many there were"),
    ...problemAnswers("invalid_argument"),
  },
});

/** `/v1/dead-letters`. */
export function deadLetterRoutes(deadLetters: DeadLetters): OpenAPIHono {
  return createRouter()
    .openapi(list, async (context) => {
      return context.json(await deadLetters.list(context.req.valid("query")), 200);
    })
    .openapi(get, async (context) => {
      return context.json(await deadLetters.get(context.req.valid("param").id), 200);
    })
    .openapi(redriveAll, async (context) => {
      const count = await deadLetters.redriveAll(context.req.valid("json").function);
      return context.json({ count }, 200);
    })
    .openapi(redrive, async (context) => {
      return context.json(await deadLetters.redrive(context.req.valid("param").id), 200);
    })
    .openapi(remove, async (context) => {
      await deadLetters.remove(context.req.valid("param").id);
      return context.body(null, 204);
    })
    .openapi(purge, async (context) => {
      const count = await deadLetters.purge(context.req.valid("query").function);
      return context.json({ count }, 200);
    });
}
