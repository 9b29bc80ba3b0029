import { z } from "@hono/zod-openapi";
import { functionName } from "./common.ts";

const percentiles = z
  .object({
    p50: z
      .number()
      .int()
      .optional()
      .openapi({ description: "As long as the faster half took at the most" }),
    p95: z.number().int().optional().openapi({ description: "Likewise of 95 in 100" }),
    p99: z.number().int().optional().openapi({ description: "Likewise of 99 in 100" }),
  })
  .openapi({ description: "Microseconds; absent where nothing was measured" });

const share = z.number().min(0).max(1);

/** What a function's invocations of a window come to. */
export const functionStatistics = z
  .object({
    functionName,
    windowMs: z.number().int().openapi({ description: "How far back was looked" }),
    sinceUs: z.number().int().openapi({
      description:
        "Where the time that the figures cover begins: the minute in which the window does, microseconds since the epoch",
    }),
    count: z.number().int().openapi({ description: "How many invocations are on record" }),
    errors: z
      .object({
        failed: z.number().int().openapi({ description: "Those that failed" }),
        timed_out: z.number().int().openapi({ description: "Those that took too long" }),
        cancelled: z.number().int().openapi({ description: "Those that somebody cancelled" }),
        lost: z.number().int().openapi({ description: "Those that the server's own end cut off" }),
      })
      .openapi({ description: "How many did not succeed" }),
    sampled: z.boolean().openapi({
      description: "The times are of the newest ones alone; all counts and shares are of all",
    }),
    sampleCount: z.number().int().openapi({ description: "How many the times are of" }),
    runUs: percentiles,
    totalUs: percentiles.openapi({ description: "From the queue to the end, microseconds" }),
    starts: z
      .object({
        cold: share.openapi({ description: "In a container that had to be started" }),
        pooled: share.openapi({ description: "In one that waited, started and unused" }),
        warm: share.openapi({ description: "In one that had run the same version before" }),
      })
      .openapi({
        description: "Shares of those that got a container; all 0 where none did",
      }),
  })
  .openapi("FunctionStatistics", {
    example: {
      functionName: "hello",
      windowMs: 3_600_000,
      sinceUs: 1769860800000000,
      count: 240,
      errors: { failed: 2, timed_out: 0, cancelled: 1, lost: 0 },
      sampled: false,
      sampleCount: 240,
      runUs: { p50: 1_273, p95: 3_414, p99: 6_120 },
      totalUs: { p50: 1_506, p95: 4_168, p99: 8_364 },
      starts: { cold: 0.1, pooled: 0.9, warm: 0 },
    },
  });

/** What the figures are asked for with. */
export const statisticsQuery = z.object({
  windowMs: z.coerce
    .number()
    .int()
    .min(1)
    .max(7 * 86_400_000)
    .default(3_600_000)
    .openapi({
      description: "How far back to look, to the beginning of that minute; at most 7 days",
    }),
});

export type FunctionStatistics = z.infer<typeof functionStatistics>;
