import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Schedules } from "../domain/schedules/schedules.ts";
import { scheduleName } from "../schema/common.ts";
import { acceptedEvent } from "../schema/event.ts";
import { scheduleDetail, scheduleFilter, schedulePage, scheduleSpec } from "../schema/schedule.ts";
import { conditionOf, deletionHeaders, etag, putHeaders, revised } from "./condition.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ name: scheduleName });

const put = createRoute({
  method: "put",
  path: "/{name}",
  operationId: "putSchedule",
  tags: ["schedules"],
  summary: "Make a schedule, or replace what it says",
  request: {
    params,
    headers: putHeaders,
    body: { content: { "application/json": { schema: scheduleSpec } }, required: true },
  },
  responses: {
    200: { ...jsonAnswer(scheduleDetail, "The schedule, which was there before"), ...revised },
    201: { ...jsonAnswer(scheduleDetail, "The new schedule"), ...revised },
    ...problemAnswers("invalid_argument", "not_found", "condition_not_met", "payload_too_large"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{name}",
  operationId: "getSchedule",
  tags: ["schedules"],
  summary: "Show a schedule with its event and its next due times; its revision id is its ETag",
  request: { params },
  responses: {
    200: { ...jsonAnswer(scheduleDetail, "The schedule"), ...revised },
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listSchedules",
  tags: ["schedules"],
  summary: "List schedules by name",
  request: { query: scheduleFilter },
  responses: {
    200: jsonAnswer(schedulePage, "A page of schedules"),
    ...problemAnswers("invalid_argument"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{name}",
  operationId: "deleteSchedule",
  tags: ["schedules"],
  summary: "Delete a schedule; events that it handed over run",
  request: { params, headers: deletionHeaders },
  responses: {
    204: { description: "Deleted" },
    ...problemAnswers("invalid_argument", "not_found", "condition_not_met"),
  },
});

const pause = createRoute({
  method: "post",
  path: "/{name}/pause",
  operationId: "pauseSchedule",
  tags: ["schedules"],
  summary: "Let due times pass without a run",
  request: { params },
  responses: {
    200: jsonAnswer(scheduleDetail, "The paused schedule"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const resume = createRoute({
  method: "post",
  path: "/{name}/resume",
  operationId: "resumeSchedule",
  tags: ["schedules"],
  summary: "Let a paused schedule come due again",
  request: { params },
  responses: {
    200: jsonAnswer(scheduleDetail, "The active schedule"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const run = createRoute({
  method: "post",
  path: "/{name}/run",
  operationId: "runSchedule",
  tags: ["schedules"],
  summary: "Run a schedule now, beside its due times",
  request: { params },
  responses: {
    202: {
      ...jsonAnswer(acceptedEvent, "The event is queued"),
      headers: z.object({ Location: z.string() }),
    },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition", "payload_too_large"),
  },
});

/** `/v1/schedules`. */
export function scheduleRoutes(schedules: Schedules): OpenAPIHono {
  return createRouter()
    .openapi(put, (context) => {
      const { name } = context.req.valid("param");
      const condition = conditionOf(context.req.valid("header"));
      const { schedule, created } = schedules.put(name, context.req.valid("json"), condition);
      context.header("etag", etag(schedule.revisionId));
      return context.json(schedule, created ? 201 : 200);
    })
    .openapi(get, (context) => {
      const found = schedules.get(context.req.valid("param").name);
      context.header("etag", etag(found.revisionId));
      return context.json(found, 200);
    })
    .openapi(list, (context) => context.json(schedules.list(context.req.valid("query")), 200))
    .openapi(remove, (context) => {
      const condition = conditionOf(context.req.valid("header"));
      schedules.remove(context.req.valid("param").name, condition);
      return context.body(null, 204);
    })
    .openapi(pause, (context) =>
      context.json(schedules.pause(context.req.valid("param").name), 200),
    )
    .openapi(resume, (context) =>
      context.json(schedules.resume(context.req.valid("param").name), 200),
    )
    .openapi(run, async (context) => {
      const eventId = await schedules.run(context.req.valid("param").name);
      return context.json({ eventId }, 202, { location: `/v1/events/${eventId}` });
    });
}
