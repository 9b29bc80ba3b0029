import { z } from "@hono/zod-openapi";

/** An error as RFC 9457 has it, with Runlet's stable `code`. */
export const problem = z
  .object({
    type: z.string().openapi({ description: "Always about:blank", example: "about:blank" }),
    title: z.string().openapi({ description: "The kind of error in a few words" }),
    status: z.number().int().openapi({ description: "The HTTP status" }),
    code: z.string().openapi({
      description: "The kind of error for programs; it stays the same",
      example: "not_found",
    }),
    detail: z.string().openapi({ description: "What could not be done, why, and what to do" }),
    invocationId: z.string().optional().openapi({ description: "The record, where there is one" }),
    issues: z
      .array(
        z.object({
          path: z.string().openapi({ description: "Where, as names with dots between" }),
          message: z.string().openapi({ description: "What was expected there" }),
        }),
      )
      .optional()
      .openapi({ description: "What is wrong with the request, each with its place" }),
    functionError: z
      .object({
        name: z.string().openapi({ description: "Class of the error" }),
        message: z.string().openapi({ description: "What it says" }),
        stack: z.string().optional().openapi({ description: "Where it was thrown" }),
      })
      .optional()
      .openapi({ description: "What the function threw" }),
    exit: z
      .object({
        code: z.number().int().openapi({ description: "128 + n where signal n ended it" }),
        signal: z.string().optional().openapi({ description: "Name of the signal, if any" }),
        reason: z.string().openapi({ description: "What ended it, such as exited or oom" }),
      })
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
