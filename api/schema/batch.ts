import { z } from "@hono/zod-openapi";
import { invocationId } from "./common.ts";
import { problem } from "./problem.ts";

/** Events that one function is to be invoked with, each by itself. */
export const batchRequest = z
  .strictObject({
    events: z.array(z.unknown()).min(1).max(100).openapi({ description: "JSON values" }),
  })
  .openapi("BatchRequest", { example: { events: [{ name: "Ada" }, { name: "Grace" }] } });

const batchItem = z
  .object({
    invocationId: invocationId.optional().openapi({ description: "Absent if it never began" }),
    status: z.number().int().openapi({ description: "What the invocation alone would have had" }),
    contentType: z.string().optional().openapi({ description: "Media type of the answer" }),
    answer: z.unknown().optional().openapi({ description: "JSON as its value, or text" }),
    answerBase64: z.string().optional().openapi({ description: "An answer that is neither" }),
    error: problem.optional().openapi({ description: "Why there is no answer" }),
  })
  .openapi("BatchItem");

export const batchResult = z
  .object({
    items: z.array(batchItem).openapi({ description: "One for each event, in their order" }),
  })
  .openapi("BatchResult", {
    example: {
      items: [
        {
          invocationId: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
          status: 200,
          contentType: "application/json",
          answer: { hello: "Ada" },
        },
      ],
    },
  });

export type BatchItem = z.infer<typeof batchItem>;
export type BatchResult = z.infer<typeof batchResult>;
