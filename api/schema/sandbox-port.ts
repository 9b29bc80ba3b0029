import { z } from "@hono/zod-openapi";
import { sandboxId } from "./sandbox.ts";

/** A port that something in a sandbox listens on. */
export const portParams = z.object({
  id: sandboxId,
  port: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, { error: "expected the number of a port" })
    .transform(Number)
    .pipe(z.number().max(65_535, { error: "expected the number of a port" }))
    .openapi({
      type: "integer",
      minimum: 1,
      maximum: 65_535,
      description: "Port of the sandbox's loopback",
      example: 8080,
    }),
});
