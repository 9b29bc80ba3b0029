import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { CommandFollower } from "../domain/sandboxes/command-follower.ts";
import type { Commands } from "../domain/sandboxes/commands.ts";
import type { Sandboxes } from "../domain/sandboxes/sandboxes.ts";
import { sandboxId } from "../schema/sandbox.ts";
import {
  commandEvent,
  commandFilter,
  commandId,
  commandPage,
  commandResult,
  commandSpec,
  sandboxCommand,
  signalRequest,
  terminalSize,
} from "../schema/sandbox-command.ts";
import { eventStream } from "./event-stream.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const params = z.object({ id: sandboxId });
const commandParams = params.extend({ commandId });
const tags = ["sandbox commands"];
const followed = {
  description: "Server-sent events, each with JSON as its data and that one's type as its name",
  content: { "text/event-stream": { schema: commandEvent } },
};

const run = createRoute({
  method: "post",
  path: "/{id}/commands",
  operationId: "runCommand",
  tags,
  summary: "Run a command and wait for it, stream it, or leave it in the background",
  description:
    "The answer is the result once the command has ended; with `Accept: text/event-stream` all of it as it " +
    "comes; with `background` the command as soon as it runs. A client that goes away kills nothing, unless " +
    "it asked for that with `killOnDisconnect`.",
  request: {
    params,
    headers: z.object({
      accept: z.string().max(256).optional().openapi({
        description: "`text/event-stream` asks for all of it as it comes",
        example: "text/event-stream",
      }),
    }),
    body: { content: { "application/json": { schema: commandSpec } }, required: true },
  },
  responses: {
    200: {
      ...jsonAnswer(commandResult, "The command has ended, or follows as a stream"),
      content: {
        "application/json": { schema: commandResult },
        ...followed.content,
      },
    },
    201: jsonAnswer(sandboxCommand, "The command runs in the background"),
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
  path: "/{id}/commands",
  operationId: "listCommands",
  tags,
  summary: "List the commands of a sandbox, running and ended, the newest first",
  request: { params, query: commandFilter },
  responses: {
    200: jsonAnswer(commandPage, "A page of commands"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{id}/commands/{commandId}",
  operationId: "getCommand",
  tags,
  summary: "Show a command",
  request: { params: commandParams },
  responses: {
    200: jsonAnswer(sandboxCommand, "The command"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const follow = createRoute({
  method: "get",
  path: "/{id}/commands/{commandId}/output",
  operationId: "followCommand",
  tags,
  summary: "Follow a command: the last megabyte that it wrote, then what it goes on to write",
  description:
    "What is kept is in the sandbox: the last 1,048,576 bytes that a command wrote, of those that run and of the " +
    "last 64 that have ended. What is missing before that is told as `dropped`; the output of one that ended " +
    "earlier, or whose sandbox has ended, is answered with 404.",
  request: { params: commandParams },
  responses: {
    200: followed,
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

const write = createRoute({
  method: "post",
  path: "/{id}/commands/{commandId}/stdin",
  operationId: "writeCommandInput",
  tags,
  summary: "Send input to a command; the answer comes when it has taken it",
  request: {
    params: commandParams,
    body: {
      content: { "application/octet-stream": { schema: z.unknown(), example: "The bytes" } },
      required: true,
    },
  },
  responses: {
    204: { description: "Taken" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

const closeInput = createRoute({
  method: "delete",
  path: "/{id}/commands/{commandId}/stdin",
  operationId: "closeCommandInput",
  tags,
  summary: "Tell a command that there is no more input",
  request: { params: commandParams },
  responses: {
    204: { description: "Told" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

const signal = createRoute({
  method: "post",
  path: "/{id}/commands/{commandId}/signal",
  operationId: "signalCommand",
  tags,
  summary: "Send a signal to a command and to all of its session",
  request: {
    params: commandParams,
    body: { content: { "application/json": { schema: signalRequest } }, required: true },
  },
  responses: {
    204: { description: "Sent" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

const resize = createRoute({
  method: "put",
  path: "/{id}/commands/{commandId}/terminal",
  operationId: "resizeTerminal",
  tags,
  summary: "Set the size of a command's terminal",
  request: {
    params: commandParams,
    body: { content: { "application/json": { schema: terminalSize } }, required: true },
  },
  responses: {
    204: { description: "Set" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

/** `/v1/sandboxes/{id}/commands`. */
export function sandboxCommandRoutes(sandboxes: Sandboxes, commands: Commands): OpenAPIHono {
  return createRouter()
    .openapi(run, async (context) => {
      const { id } = context.req.valid("param");
      const spec = context.req.valid("json");
      if (spec.background) {
        const { command } = await commands.start(id, spec);
        return context.json(command, 201);
      }
      if (!(context.req.valid("header").accept ?? "").includes("text/event-stream")) {
        return context.json(await commands.run(id, spec, context.req.raw.signal), 200);
      }
      const started = await commands.start(id, spec);
      const { activity } = sandboxes.find(id);
      const leave = (): void => commands.leave(started, spec);
      return eventStream(new CommandFollower(started, activity, leave));
    })
    .openapi(list, (context) => {
      const { id } = context.req.valid("param");
      return context.json(commands.list(id, context.req.valid("query")), 200);
    })
    .openapi(get, (context) => {
      const { id, commandId: of } = context.req.valid("param");
      return context.json(commands.get(id, of), 200);
    })
    .openapi(follow, async (context) => {
      const { id, commandId: of } = context.req.valid("param");
      const started = await commands.attach(id, of);
      const { activity } = sandboxes.find(id);
      return eventStream(new CommandFollower(started, activity, () => started.view.detach()));
    })
    .openapi(write, async (context) => {
      const { id, commandId: of } = context.req.valid("param");
      const body = new Uint8Array(await context.req.arrayBuffer());
      await commands.write(id, of, body, context.req.raw.signal);
      return context.body(null, 204);
    })
    .openapi(closeInput, async (context) => {
      const { id, commandId: of } = context.req.valid("param");
      await commands.closeInput(id, of);
      return context.body(null, 204);
    })
    .openapi(signal, async (context) => {
      const { id, commandId: of } = context.req.valid("param");
      await commands.signal(id, of, context.req.valid("json").signal);
      return context.body(null, 204);
    })
    .openapi(resize, async (context) => {
      const { id, commandId: of } = context.req.valid("param");
      await commands.resize(id, of, context.req.valid("json"));
      return context.body(null, 204);
    });
}
