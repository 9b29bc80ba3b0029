import { z } from "@hono/zod-openapi";
import { invocationId } from "./common.ts";
import { invocationStatus } from "./invocation.ts";

/** What a follower of output is told; each is the data of one server-sent event named by its type. */
export const followEvent = z
  .discriminatedUnion("type", [
    z.object({
      type: z.literal("output").openapi({ description: "It wrote something" }),
      invocationId,
      stream: z.enum(["stdout", "stderr"]).openapi({ description: "Where it wrote" }),
      text: z.string().openapi({ description: "What it wrote" }),
      atUs: z.number().int().openapi({ description: "Microseconds since the epoch" }),
    }),
    z.object({
      type: z.literal("end").openapi({ description: "It has ended" }),
      invocationId,
      status: invocationStatus,
    }),
    z.object({
      type: z.literal("cut").openapi({ description: "The following ends before what is followed" }),
      message: z.string().openapi({ description: "Why there is no more to follow" }),
    }),
  ])
  .openapi("FollowEvent", {
    example: {
      type: "output",
      invocationId: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
      stream: "stdout",
      text: "greeting Ada\n",
      atUs: 1769860800000000,
    },
  });

export type FollowEvent = z.infer<typeof followEvent>;
