import { z } from "@hono/zod-openapi";

/** An error as RFC 9457 has it, with Runlet's stable `code`. */
export const problem = z
  .object({
    type: z.string().openapi({ example: "about:blank" }),
    title: z.string(),
    status: z.number().int(),
    code: z.string().openapi({ example: "not_found" }),
    detail: z.string(),
    invocationId: z.string().optional(),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    functionError: z
      .object({ name: z.string(), message: z.string(), stack: z.string().optional() })
      .optional(),
    exit: z
      .object({ code: z.number().int(), signal: z.string().optional(), reason: z.string() })
      .optional(),
  })
  .openapi("Problem");

export type Problem = z.infer<typeof problem>;
