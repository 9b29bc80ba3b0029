import { z } from "@hono/zod-openapi";

/** An error as RFC 9457 has it, with Runlet's stable `code`. */
export const problem = z
  .object({
    type: z.string().openapi({ example: "about:blank" }),
    title: z.string(),
    status: z.number().int(),
    code: z.string().openapi({ example: "not_found" }),
    detail: z.string().openapi({ description: "What could not be done, why, and what to do" }),
    invocationId: z.string().optional().openapi({ description: "The record, where there is one" }),
    issues: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: "What is wrong with the request, each with its place" }),
    functionError: z
      .object({ name: z.string(), message: z.string(), stack: z.string().optional() })
      .optional()
      .openapi({ description: "What the function threw" }),
    exit: z
      .object({ code: z.number().int(), signal: z.string().optional(), reason: z.string() })
      .optional()
      .openapi({ description: "How the container ended" }),
  })
  .openapi("Problem", {
    example: {
      type: "about:blank",
      title: "No such thing",
      status: 404,
      code: "not_found",
      detail: "Cannot find function hello: there is none of that name",
    },
  });

export type Problem = z.infer<typeof problem>;
