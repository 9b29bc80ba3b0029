import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { RunletError } from "../domain/errors.ts";
import type { Sandboxes } from "../domain/sandboxes/sandboxes.ts";
import type { Snapshots } from "../domain/sandboxes/snapshots.ts";
import {
  sandbox,
  sandboxChange,
  sandboxFilter,
  sandboxId,
  sandboxPage,
  sandboxSpec,
  sandboxStats,
} from "../schema/sandbox.ts";
import { type CopySpec, copySpec } from "../schema/snapshot.ts";
import { callerOf } from "./gate.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ id: sandboxId });
const tags = ["sandboxes"];

const create = createRoute({
  method: "post",
  path: "/",
  operationId: "createSandbox",
  tags,
  summary: "Open a sandbox, or a copy of a saved one; it is ready for commands with the answer",
  request: { body: { content: { "application/json": { schema: sandboxSpec } }, required: true } },
  responses: {
    201: {
      ...jsonAnswer(sandbox, "The sandbox"),
      headers: z.object({ Location: z.string().openapi({ description: "Where it is shown" }) }),
    },
    ...problemAnswers(
      "invalid_argument",
      "not_found",
      "failed_precondition",
      "resource_exhausted",
      "unavailable",
    ),
  },
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listSandboxes",
  tags,
  summary: "List sandboxes, the newest first",
  request: { query: sandboxFilter },
  responses: {
    200: jsonAnswer(sandboxPage, "A page of sandboxes"),
    ...problemAnswers("invalid_argument"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "getSandbox",
  tags,
  summary: "Show a sandbox, open or ended",
  request: { params },
  responses: {
    200: jsonAnswer(sandbox, "The sandbox"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const change = createRoute({
  method: "patch",
  path: "/{id}",
  operationId: "changeSandbox",
  tags,
  summary: "Set the timeouts of a sandbox anew, or its metadata",
  request: {
    params,
    body: { content: { "application/json": { schema: sandboxChange } }, required: true },
  },
  responses: {
    200: jsonAnswer(sandbox, "The changed sandbox"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "deleteSandbox",
  tags,
  summary: "End a sandbox with all that runs inside; it stays on record",
  request: { params },
  responses: {
    204: { description: "Ended" },
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const pause = createRoute({
  method: "post",
  path: "/{id}/pause",
  operationId: "pauseSandbox",
  tags,
  summary: "Stop a sandbox's processor time; all that it holds stays",
  request: { params },
  responses: {
    200: jsonAnswer(sandbox, "The paused sandbox"),
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

const resume = createRoute({
  method: "post",
  path: "/{id}/resume",
  operationId: "resumeSandbox",
  tags,
  summary: "Let a paused sandbox go on, for its whole timeout again",
  request: { params },
  responses: {
    200: jsonAnswer(sandbox, "The running sandbox"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const stats = createRoute({
  method: "get",
  path: "/{id}/stats",
  operationId: "getSandboxStats",
  tags,
  summary: "Show what a sandbox uses, now and of late",
  request: { params },
  responses: {
    200: jsonAnswer(sandboxStats, "Its use"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

/** `/v1/sandboxes`: their life. */
export function sandboxRoutes(sandboxes: Sandboxes, snapshots: Snapshots): OpenAPIHono {
  return createRouter()
    .openapi(create, async (context) => {
      const { snapshot, ...spec } = context.req.valid("json");
      const keyId = callerOf(context)?.id;
      const { signal } = context.req.raw;
      const opened =
        snapshot === undefined
          ? await sandboxes.create({ ...spec, keyId }, signal)
          : await snapshots.open(snapshot, changesOf(await context.req.json()), { keyId, signal });
      return context.json(opened, 201, { location: `/v1/sandboxes/${opened.id}` });
    })
    .openapi(list, (context) => context.json(sandboxes.list(context.req.valid("query")), 200))
    .openapi(get, (context) => context.json(sandboxes.get(context.req.valid("param").id), 200))
    .openapi(change, (context) => {
      const { id } = context.req.valid("param");
      sandboxes.find(id).change(context.req.valid("json"));
      return context.json(sandboxes.get(id), 200);
    })
    .openapi(remove, async (context) => {
      await sandboxes.remove(context.req.valid("param").id);
      return context.body(null, 204);
    })
    .openapi(pause, (context) => {
      const { id } = context.req.valid("param");
      sandboxes.find(id).pause();
      return context.json(sandboxes.get(id), 200);
    })
    .openapi(resume, (context) => {
      const { id } = context.req.valid("param");
      sandboxes.find(id).resume();
      return context.json(sandboxes.get(id), 200);
    })
    .openapi(stats, (context) => {
      const { now, series } = sandboxes.find(context.req.valid("param").id).usage();
      return context.json({ now, series: [...series] }, 200);
    });
}

/** What a copy is opened with has no defaults but what was saved. @throws `invalid_argument`. */
function changesOf(body: object): CopySpec {
  const { snapshot: _, ...given } = body as Record<string, unknown>;
  const changes = copySpec.safeParse(given);
  if (changes.success) return changes.data;
  const facts = changes.error.issues.map(({ message }) => message).join("; ");
  throw new RunletError(
    "invalid_argument",
    `Cannot open a sandbox from a snapshot: ${facts}. All else is as it was saved`,
  );
}
