import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Contexts } from "../domain/sandboxes/contexts.ts";
import { sandboxId } from "../schema/sandbox.ts";
import {
  cellEvent,
  cellResult,
  cellSpec,
  codeContext,
  contextId,
  contextPage,
  contextSpec,
} from "../schema/sandbox-context.ts";
import { eventStream } from "./event-stream.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ id: sandboxId });
const contextParams = params.extend({ contextId });
const tags = ["sandbox contexts"];

const open = createRoute({
  method: "post",
  path: "/{id}/contexts",
  operationId: "openContext",
  tags,
  summary: "Open a context, in which each cell finds what those before it left behind",
  request: {
    params,
    body: { content: { "application/json": { schema: contextSpec } }, required: true },
  },
  responses: {
    201: jsonAnswer(codeContext, "The context; it is ready for a cell"),
    ...problemAnswers(
      "invalid_argument",
      "not_found",
      "failed_precondition",
      "resource_exhausted",
      "unavailable",
      "deadline_exceeded",
    ),
  },
});

const list = createRoute({
  method: "get",
  path: "/{id}/contexts",
  operationId: "listContexts",
  tags,
  summary: "List the contexts of a sandbox, the oldest first, those that have ended too",
  request: { params },
  responses: {
    200: jsonAnswer(contextPage, "All of them: there are few"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}/contexts/{contextId}",
  operationId: "deleteContext",
  tags,
  summary: "End a context with what runs in it",
  request: { params: contextParams },
  responses: {
    204: { description: "Ended" },
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const execute = createRoute({
  method: "post",
  path: "/{id}/contexts/{contextId}/execute",
  operationId: "runCode",
  tags,
  summary: "Run a cell in a context, and wait for what comes of it or stream it",
  description:
    "Cells of a context run one at a time, in the order in which they come; 16 may wait. The answer is 200 however " +
    "the cell ended. A client that goes away interrupts its cell. What a cell throws is an `error`, the value of its " +
    "last expression and what it hands to `display` are `results`.",
  request: {
    params: contextParams,
    headers: z.object({
      accept: z.string().max(256).optional().openapi({
        description: "`text/event-stream` asks for all of it as it comes",
        example: "text/event-stream",
      }),
    }),
    body: { content: { "application/json": { schema: cellSpec } }, required: true },
  },
  responses: {
    200: {
      ...jsonAnswer(cellResult, "The cell is over, or follows as a stream"),
      content: {
        "application/json": { schema: cellResult },
        "text/event-stream": { schema: cellEvent },
      },
    },
    ...problemAnswers(
      "invalid_argument",
      "not_found",
      "failed_precondition",
      "payload_too_large",
      "resource_exhausted",
    ),
  },
});

const interrupt = createRoute({
  method: "post",
  path: "/{id}/contexts/{contextId}/interrupt",
  operationId: "interruptContext",
  tags,
  summary: "Interrupt the cell that runs in a context, if one does; what cells left behind stays",
  request: { params: contextParams },
  responses: {
    204: { description: "Told" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

/** `/v1/sandboxes/{id}/contexts`. */
export function sandboxContextRoutes(contexts: Contexts): OpenAPIHono {
  return createRouter()
    .openapi(open, async (context) => {
      const { id } = context.req.valid("param");
      const spec = context.req.valid("json");
      return context.json(await contexts.open(id, spec, context.req.raw.signal), 201);
    })
    .openapi(list, (context) => context.json(contexts.list(context.req.valid("param").id), 200))
    .openapi(remove, (context) => {
      const { id, contextId: of } = context.req.valid("param");
      contexts.remove(id, of);
      return context.body(null, 204);
    })
    .openapi(execute, async (context) => {
      const { id, contextId: of } = context.req.valid("param");
      const cell = contexts.execute(id, of, context.req.valid("json"));
      if ((context.req.valid("header").accept ?? "").includes("text/event-stream"))
        return eventStream(cell);
      return context.json(await cell.collect(context.req.raw.signal), 200);
    })
    .openapi(interrupt, async (context) => {
      const { id, contextId: of } = context.req.valid("param");
      await contexts.interrupt(id, of);
      return context.body(null, 204);
    });
}
