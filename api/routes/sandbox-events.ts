import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { SandboxEvents } from "../domain/sandboxes/events.ts";
import {
  sandboxEvent,
  sandboxEventFilter,
  sandboxEventPage,
  sandboxId,
} from "../schema/sandbox.ts";
import { eventStream } from "./event-stream.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const accept = z.object({
  accept: z.string().max(256).optional().openapi({
    description:
      "text/event-stream follows: first what is on record, where `after` says so behind that, or behind the Last-Event-ID of a client that has reconnected, then what comes",
    example: "text/event-stream",
  }),
});

const answers = {
  200: {
    description: "A page of events, or server-sent events, each with its number as its id",
    content: {
      ...jsonAnswer(sandboxEventPage, "").content,
      "text/event-stream": { schema: sandboxEvent },
    },
  },
  ...problemAnswers("invalid_argument", "not_found", "resource_exhausted"),
};

const ofOne = createRoute({
  method: "get",
  path: "/sandboxes/{id}/events",
  operationId: "listSandboxEvents",
  tags: ["sandboxes"],
  summary: "List what has happened to a sandbox, the oldest first, or follow it to its end",
  request: {
    params: z.object({ id: sandboxId }),
    query: sandboxEventFilter,
    headers: accept,
  },
  responses: answers,
});

const ofAll = createRoute({
  method: "get",
  path: "/sandbox-events",
  operationId: "listAllSandboxEvents",
  tags: ["sandboxes"],
  summary: "List what has happened to all sandboxes, the oldest first, or follow it",
  request: { query: sandboxEventFilter, headers: accept },
  responses: answers,
});

/** `/v1/sandboxes/{id}/events` and `/v1/sandbox-events`. */
export function sandboxEventRoutes(events: SandboxEvents): OpenAPIHono {
  const router = createRouter();
  router.openapi(ofOne, (context) => {
    const { id } = context.req.valid("param");
    const { after, limit } = context.req.valid("query");
    const { accept: wanted } = context.req.valid("header");
    if (!isFollowing(wanted))
      return context.json(events.list({ sandboxId: id, after, limit }), 200);
    return eventStream(events.follow({ sandboxId: id, after: seen(context.req, after) }));
  });
  router.openapi(ofAll, (context) => {
    const { after, limit } = context.req.valid("query");
    const { accept: wanted } = context.req.valid("header");
    if (!isFollowing(wanted)) return context.json(events.list({ after, limit }), 200);
    return eventStream(events.follow({ after: seen(context.req, after) }));
  });
  return router;
}

function isFollowing(accepted = ""): boolean {
  return accepted.includes("text/event-stream");
}

/** Behind which event a follower goes on: a client that has reconnected says which it saw last. */
function seen(
  request: { header: (name: string) => string | undefined },
  after: number | undefined,
): number | undefined {
  const last = request.header("last-event-id") ?? "";
  return /^\d{1,15}$/.test(last) ? Number(last) : after;
}
