import { z } from "@hono/zod-openapi";
import { destination } from "./destination.ts";

/** How often and how long an event is tried that nobody waits for, and who is told of its end. */
export const asyncPolicy = z
  .strictObject({
    maxAttempts: z.number().int().min(1).max(10).default(3).openapi({
      description: "How often an event is tried before it is given up",
    }),
    maxAgeMs: z.number().int().min(1000).max(604_800_000).default(21_600_000).openapi({
      description: "An event that could only be tried later than this is given up",
    }),
    backoffMs: z.number().int().min(0).max(3_600_000).default(60_000).openapi({
      description: "How long to wait after the first failure; doubled each time, within 20 %",
    }),
    onSuccess: destination.optional().openapi({
      description: "Who gets what the function answered, with the event",
    }),
    onFailure: destination.optional().openapi({
      description:
        "Who gets why the event was given up, with the event, which is a dead letter too",
    }),
  })
  .openapi("AsyncPolicy", {
    description: "What becomes of events that nobody waits for",
    example: {
      maxAttempts: 3,
      onSuccess: { function: "notify:live" },
      onFailure: { url: "https://example.org/failed", secret: "callback-key" },
    },
  });

export type AsyncPolicy = z.infer<typeof asyncPolicy>;
