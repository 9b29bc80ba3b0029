import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Webhooks } from "../domain/webhooks/webhooks.ts";
import { eventId, pageLimit } from "../schema/common.ts";
import { eventPage } from "../schema/event.ts";
import { webhook, webhookName, webhookPage, webhookSpec } from "../schema/webhook.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const tags = ["webhooks"];
const params = z.object({ name: webhookName });

const put = createRoute({
  method: "put",
  path: "/{name}",
  operationId: "putWebhook",
  tags,
  summary: "Have a URL told of what happens to sandboxes from now on, or change that",
  request: {
    params,
    body: { content: { "application/json": { schema: webhookSpec } }, required: true },
  },
  responses: {
    200: jsonAnswer(webhook, "Changed"),
    201: jsonAnswer(webhook, "Made"),
    ...problemAnswers("invalid_argument", "failed_precondition", "resource_exhausted"),
  },
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listWebhooks",
  tags,
  summary: "List webhooks by name",
  request: {
    query: z.object({
      limit: pageLimit,
      after: webhookName.optional().openapi({ description: "Cursor: `next` of the page before" }),
    }),
  },
  responses: {
    200: jsonAnswer(webhookPage, "A page of webhooks"),
    ...problemAnswers("invalid_argument"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{name}",
  operationId: "getWebhook",
  tags,
  summary: "Show a webhook",
  request: { params },
  responses: {
    200: jsonAnswer(webhook, "The webhook"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{name}",
  operationId: "deleteWebhook",
  tags,
  summary: "Delete a webhook with what waits to be delivered to it",
  request: { params },
  responses: {
    204: { description: "Deleted" },
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const deliveries = createRoute({
  method: "get",
  path: "/{name}/deliveries",
  operationId: "listWebhookDeliveries",
  tags,
  summary: "List what is and was sent to a webhook, newest first; what succeeded for a day",
  request: {
    params,
    query: z.object({
      limit: pageLimit,
      before: eventId.optional().openapi({ description: "Cursor: `next` of the page before" }),
    }),
  },
  responses: {
    200: jsonAnswer(eventPage, "A page of deliveries"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

/** `/v1/webhooks`. */
export function webhookRoutes(webhooks: Webhooks): OpenAPIHono {
  return createRouter()
    .openapi(put, (context) => {
      const spec = context.req.valid("json");
      const { webhook: made, created } = webhooks.put(context.req.valid("param").name, spec);
      return context.json(made, created ? 201 : 200);
    })
    .openapi(list, (context) => context.json(webhooks.list(context.req.valid("query")), 200))
    .openapi(get, (context) => context.json(webhooks.get(context.req.valid("param").name), 200))
    .openapi(remove, async (context) => {
      await webhooks.remove(context.req.valid("param").name);
      return context.body(null, 204);
    })
    .openapi(deliveries, async (context) => {
      const { name } = context.req.valid("param");
      return context.json(await webhooks.deliveries(name, context.req.valid("query")), 200);
    });
}
