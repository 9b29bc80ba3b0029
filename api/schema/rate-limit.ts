import { z } from "@hono/zod-openapi";

/** How often one caller may call a function. */
export const rateLimit = z
  .strictObject({
    perSecond: z.number().min(0.001).max(100_000).openapi({
      description: "How many calls a second on average",
    }),
    burst: z.number().int().min(1).max(100_000).optional().openapi({
      description: "How many at once after a pause; as many as in a second by default",
    }),
  })
  .openapi("RateLimit");

export type RateLimit = z.infer<typeof rateLimit>;
