import { z } from "@hono/zod-openapi";
import { momentUs, pageOf } from "./common.ts";
import { callback } from "./destination.ts";
import { sandboxEventType } from "./sandbox.ts";

export const webhookName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, {
    error: "expected lower-case letters, digits, _ and -, beginning with a letter or a digit",
  })
  .openapi({ description: "Name of a webhook", example: "billing" });

/** What a webhook is told, and where. */
export const webhookSpec = z
  .strictObject({
    ...callback.shape,
    events: z
      .array(sandboxEventType)
      .min(1)
      .max(sandboxEventType.options.length)
      .default([...sandboxEventType.options])
      .openapi({ description: "What it is told of; everything by default" }),
  })
  .openapi("WebhookSpec", {
    example: {
      url: "https://example.org/sandboxes",
      secret: "callback-key",
      events: ["created", "ended"],
    },
  });

export type WebhookSpec = z.infer<typeof webhookSpec>;
export type WebhookSpecInput = z.input<typeof webhookSpec>;

const example = {
  name: "billing",
  url: "https://example.org/sandboxes",
  secret: "callback-key",
  events: ["created" as const, "ended" as const],
  createdAtUs: 1_795_486_875_567_943,
};

/** A webhook as callers see it. */
export const webhook = z
  .object({
    name: webhookName,
    ...webhookSpec.shape,
    events: z.array(sandboxEventType).openapi({ description: "What it is told of" }),
    createdAtUs: momentUs,
  })
  .openapi("Webhook", { example });

export type Webhook = z.infer<typeof webhook>;

export const webhookPage = pageOf(webhook).openapi("WebhookPage", {
  example: { items: [example] },
});
