import { z } from "@hono/zod-openapi";
import {
  eventId,
  functionName,
  invocationId,
  moment,
  momentUs,
  pageLimit,
  pageOf,
  traceId,
} from "./common.ts";

export const invocationStatus = z
  .enum(["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"])
  .openapi("InvocationStatus");

const startKind = z.enum(["cold", "pooled", "warm"]).openapi("StartKind");

export const exitReason = z
  .enum(["exited", "signaled", "timeout", "oom", "cancelled", "lost", "failed"])
  .openapi("ExitReason");

const duration = z.number().int().openapi({ description: "Microseconds" });

/** One call of a function or one execution of a snippet, as a list shows it. */
export const invocation = z
  .object({
    id: invocationId,
    kind: z.enum(["invoke", "execute"]),
    functionName: functionName.optional(),
    functionVersion: z.number().int().optional(),
    qualifier: z.string().optional().openapi({
      description: "The alias or the version that the caller named, if any",
    }),
    traceId,
    runtime: z.string(),
    image: z.string(),
    status: invocationStatus,
    start: startKind.optional(),
    containerId: z.string().optional(),
    exitCode: z.number().int().optional().openapi({
      description: "Of the container's first process; absent while it has not ended",
    }),
    exitSignal: z.string().optional(),
    exitReason: exitReason.optional(),
    queuedAtUs: momentUs,
    startedAtUs: momentUs.optional(),
    finishedAtUs: momentUs.optional(),
    exitedAtUs: momentUs.optional(),
    queueUs: duration.optional(),
    takeUs: duration.optional(),
    initUs: duration.optional(),
    runUs: duration.optional(),
    recordUs: duration.optional(),
    eventBytes: z.number().int().optional(),
    answerBytes: z.number().int().optional(),
    error: z
      .object({
        code: z.string(),
        name: z.string().optional(),
        message: z.string(),
        stack: z.string().optional(),
      })
      .optional(),
    eventId: eventId.optional().openapi({ description: "The event that this is an attempt at" }),
    attempt: z.number().int().optional(),
    stdoutBytes: z.number().int(),
    stdoutTruncated: z.boolean(),
    stderrBytes: z.number().int(),
    stderrTruncated: z.boolean(),
  })
  .openapi("Invocation");

/** An invocation with its output. */
export const invocationDetail = invocation
  .extend({ stdout: z.string(), stderr: z.string() })
  .openapi("InvocationDetail");

export const invocationPage = pageOf(invocation).openapi("InvocationPage");

export const invocationFilter = z.object({
  function: functionName.optional(),
  status: invocationStatus.optional(),
  reason: exitReason.optional(),
  kind: z.enum(["invoke", "execute"]).optional(),
  traceId: traceId.optional(),
  since: moment.optional(),
  until: moment.optional(),
  minDurationMs: z.coerce.number<number>().int().min(0).max(86_400_000).optional().openapi({
    description: "Only runs that took so long or longer",
  }),
  limit: pageLimit,
  before: invocationId.optional().openapi({ description: "Cursor: `next` of the page before" }),
});

export type Invocation = z.infer<typeof invocation>;
export type InvocationDetail = z.infer<typeof invocationDetail>;
export type InvocationFilter = z.infer<typeof invocationFilter>;
export type InvocationQuery = z.input<typeof invocationFilter>;
