import { z } from "@hono/zod-openapi";
import type { Condition } from "../domain/condition.ts";

const ifMatch = z.string().max(1000).optional().openapi({
  description: "Revision ids, of which the present one must be one, or *; else 412",
});

/** The headers of a request that deletes something under a condition. */
export const deletionHeaders = z.object({ "if-match": ifMatch });

/** The headers of a request that puts something under a condition. */
export const putHeaders = z.object({
  "if-match": ifMatch,
  "if-none-match": z.literal("*", { error: "expected *" }).optional().openapi({
    description: "*: only if there is nothing of that name yet; else 412",
  }),
});

/** The condition that a request's headers name; quotes around a revision id may be left out. */
export function conditionOf(headers: z.infer<typeof putHeaders>): Condition {
  const expected = headers["if-match"]?.split(",").map((tag) => tag.trim());
  return {
    ...(expected && { ifMatch: expected.map((tag) => tag.replace(/^"(.*)"$/, "$1")) }),
    isNew: headers["if-none-match"] !== undefined,
  };
}

/** What an answer of something with a revision bears beside its body. */
export const revised = {
  headers: z.object({
    ETag: z.string().openapi({
      description:
        "The revision id, which `If-Match` takes. What else is told may change without it",
      example: '"019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f"',
    }),
  }),
};

/** A revision id as an ETag. */
export function etag(revisionId: string): string {
  return `"${revisionId}"`;
}
