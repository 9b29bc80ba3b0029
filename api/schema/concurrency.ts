import { z } from "@hono/zod-openapi";

/** How many containers are kept started for a function. */
export const provisionedCount = z.number().int().min(0).max(1000);

/** What is set for a function beside its versions. */
export const functionConcurrency = z
  .strictObject({
    reserved: z.number().int().min(0).max(10_000).optional().openapi({
      description:
        "Container slots that are kept for this function, also while it is idle, and beyond which it gets none; 0 stops it",
    }),
    provisioned: provisionedCount.optional().openapi({
      description:
        "Containers that are kept started with the function loaded, in the place of what its versions say; a schedule may set it, too",
    }),
  })
  .openapi("FunctionConcurrency", { example: { reserved: 4, provisioned: 2 } });

export type FunctionConcurrency = z.infer<typeof functionConcurrency>;
