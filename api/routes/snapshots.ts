import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Snapshots } from "../domain/sandboxes/snapshots.ts";
import { snapshotId } from "../schema/common.ts";
import { sandboxId, sandboxPage } from "../schema/sandbox.ts";
import {
  forkSpec,
  snapshot,
  snapshotFilter,
  snapshotPage,
  snapshotSpec,
} from "../schema/snapshot.ts";
import { callerOf } from "./gate.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ id: snapshotId });
const ofSandbox = z.object({ id: sandboxId });
const tags = ["snapshots"];

const create = createRoute({
  method: "post",
  path: "/{id}/snapshots",
  operationId: "createSnapshot",
  tags,
  summary: "Save a sandbox with memory, processes and files; it stands still meanwhile and goes on",
  request: {
    params: ofSandbox,
    body: { content: { "application/json": { schema: snapshotSpec } }, required: true },
  },
  responses: {
    201: {
      ...jsonAnswer(snapshot, "The snapshot"),
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

const fork = createRoute({
  method: "post",
  path: "/{id}/fork",
  operationId: "forkSandbox",
  tags,
  summary: "Open running copies of a sandbox, all or none; it stands still meanwhile and goes on",
  request: {
    params: ofSandbox,
    body: { content: { "application/json": { schema: forkSpec } }, required: true },
  },
  responses: {
    201: jsonAnswer(sandboxPage, "The copies, each running"),
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
  operationId: "listSnapshots",
  tags,
  summary: "List snapshots, the newest first",
  request: { query: snapshotFilter },
  responses: {
    200: jsonAnswer(snapshotPage, "A page of snapshots"),
    ...problemAnswers("invalid_argument"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "getSnapshot",
  tags,
  summary: "Show a snapshot",
  request: { params },
  responses: {
    200: jsonAnswer(snapshot, "The snapshot"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "deleteSnapshot",
  tags,
  summary: "Delete a snapshot; sandboxes that went on from it stay",
  request: { params },
  responses: {
    204: { description: "Deleted" },
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

/** What is saved and copied of `/v1/sandboxes/{id}`. */
export function sandboxSnapshotRoutes(snapshots: Snapshots): OpenAPIHono {
  return createRouter()
    .openapi(create, async (context) => {
      const { id } = context.req.valid("param");
      const saved = await snapshots.create(id, context.req.valid("json"));
      return context.json(saved, 201, { location: `/v1/snapshots/${saved.id}` });
    })
    .openapi(fork, async (context) => {
      const { id } = context.req.valid("param");
      const spec = context.req.valid("json");
      const { signal } = context.req.raw;
      const items = await snapshots.fork(id, spec, { keyId: callerOf(context)?.id, signal });
      return context.json({ items }, 201);
    });
}

/** `/v1/snapshots`. */
export function snapshotRoutes(snapshots: Snapshots): OpenAPIHono {
  return createRouter()
    .openapi(list, (context) => {
      const { sandbox: of, ...query } = context.req.valid("query");
      return context.json(snapshots.list({ ...query, sandboxId: of }), 200);
    })
    .openapi(get, (context) => context.json(snapshots.get(context.req.valid("param").id), 200))
    .openapi(remove, async (context) => {
      await snapshots.remove(context.req.valid("param").id);
      return context.body(null, 204);
    });
}
