import { z } from "@hono/zod-openapi";

/** How often and how long an event is tried that nobody waits for. */
export const asyncPolicy = z
  .strictObject({
    maxAttempts: z.number().int().min(1).max(10).default(3),
    maxAgeMs: z.number().int().min(1000).max(604_800_000).default(21_600_000).openapi({
      description: "An event that could only be tried later than this is given up",
    }),
    backoffMs: z.number().int().min(0).max(3_600_000).default(60_000).openapi({
      description: "How long to wait after the first failure; doubled each time, within 20 %",
    }),
  })
  .openapi("AsyncPolicy");

export type AsyncPolicy = z.infer<typeof asyncPolicy>;
