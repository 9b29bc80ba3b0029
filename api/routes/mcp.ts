import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { RunletError } from "../domain/errors.ts";
import { mcpMessage } from "../schema/mcp.ts";
import { createRouter } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

/** An error of the protocol's own. */
function refusalOf(description: string): object {
  return { description, content: { "application/json": { schema: mcpMessage } } };
}

const post = createRoute({
  method: "post",
  path: "/mcp",
  operationId: "postMcp",
  tags: ["mcp"],
  summary: "Speak the Model Context Protocol: streamable HTTP without sessions",
  description:
    "Tools that run code, keep sandboxes and call functions act with the key of the request. Each request stands for itself; a caller that goes away ends what it has asked for.",
  request: { body: { content: { "application/json": { schema: mcpMessage } }, required: true } },
  responses: {
    200: {
      description: "Messages of JSON-RPC as server-sent events",
      content: {
        "text/event-stream": {
          schema: z.string(),
          example: 'event: message\ndata: {"jsonrpc": "2.0"}\n\n',
        },
      },
    },
    202: { description: "A notification was taken" },
    400: refusalOf("What was sent is no message of the protocol"),
    406: refusalOf("The request does not accept both application/json and text/event-stream"),
    415: refusalOf("What was sent does not say that it is JSON"),
    ...problemAnswers("unauthenticated", "permission_denied", "payload_too_large"),
  },
});

const get = createRoute({
  method: "get",
  path: "/mcp",
  operationId: "getMcp",
  tags: ["mcp"],
  summary: "Refuse a stream of its own: without sessions, nothing is told but in answers",
  responses: {
    405: {
      description: "Messages are sent with POST",
      content: { "application/json": { schema: mcpMessage } },
    },
  },
});

/** The Model Context Protocol over HTTP; `answer` speaks it, as whoever has the key. */
export function mcpRoutes(
  answer: (request: Request, apiKey: string | undefined) => Promise<Response>,
): OpenAPIHono {
  const router = createRouter();
  router.openapi(get, (context) => {
    const error = { code: -32_000, message: "Method not allowed: send messages with POST" };
    return context.json({ jsonrpc: "2.0" as const, error, id: null }, 405, { allow: "POST" });
  });
  // What is no message is the protocol's own to answer.
  router.post("/mcp", async (context) => {
    requireNoPage(context.req.header("origin"), context.req.header("host"));
    const apiKey = /^Bearer +(\S+)$/i.exec(context.req.header("authorization") ?? "")?.[1];
    return await answer(context.req.raw, apiKey);
  });
  router.openAPIRegistry.registerPath(post);
  return router;
}

/** A page in a browser that was led here is not who the tools are for. */
function requireNoPage(origin: string | undefined, host = ""): void {
  if (origin === undefined || URL.parse(origin)?.host === host) return;
  throw new RunletError(
    "permission_denied",
    `Cannot take the request: a page of ${JSON.stringify(origin)} had it sent, and this is for programs`,
  );
}
