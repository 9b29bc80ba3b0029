import { z } from "@hono/zod-openapi";
import { invocationId } from "./common.ts";
import { invocationStatus } from "./invocation.ts";

/** What a follower of output is told; each is the data of one server-sent event named by its type. */
export const followEvent = z
  .discriminatedUnion("type", [
    z.object({
      type: z.literal("output"),
      invocationId,
      stream: z.enum(["stdout", "stderr"]),
      text: z.string(),
      atUs: z.number().int().openapi({ description: "Microseconds since the epoch" }),
    }),
    z.object({ type: z.literal("end"), invocationId, status: invocationStatus }),
    z.object({ type: z.literal("cut"), message: z.string() }),
  ])
  .openapi("FollowEvent");

export type FollowEvent = z.infer<typeof followEvent>;
