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
  .openapi("InvocationStatus", {
    description: "lost: the server ended before it did. All but queued and running are final",
  });

const invocationKind = z.enum(["invoke", "execute", "build"]).openapi({
  description: "A call of a function, an execution of a snippet, or the build of a deployment",
});

const startKind = z.enum(["cold", "pooled", "warm"]).openapi("StartKind", {
  description:
    "How it got its container. cold: started for it. pooled: started before, and unused. warm: has run the same version before",
});

export const exitReason = z
  .enum(["exited", "signaled", "timeout", "oom", "cancelled", "lost", "failed"])
  .openapi("ExitReason", {
    description: "What ended it; failed: the sandbox itself could not go on",
  });

function took(what: string): z.ZodOptional<z.ZodNumber> {
  return z
    .number()
    .int()
    .optional()
    .openapi({ description: `${what}, microseconds` });
}

const invocationExample = {
  id: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
  kind: "invoke" as const,
  functionName: "hello",
  functionVersion: 3,
  qualifier: "live",
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  runtime: "node",
  image: "default",
  status: "succeeded" as const,
  start: "pooled" as const,
  containerId: "rlt-80fda9e2cdf4c541",
  queuedAtUs: 1769860800000000,
  startedAtUs: 1769860800000085,
  finishedAtUs: 1769860800001800,
  queueUs: 85,
  takeUs: 420,
  runUs: 1_273,
  recordUs: 106,
  eventBytes: 15,
  answerBytes: 15,
  stdoutBytes: 13,
  stdoutTruncated: false,
  stderrBytes: 0,
  stderrTruncated: false,
};

/** One call of a function, execution of a snippet or build of a deployment, as a list shows it. */
export const invocation = z
  .object({
    id: invocationId,
    kind: invocationKind,
    functionName: functionName.optional(),
    functionVersion: z
      .number()
      .int()
      .optional()
      .openapi({ description: "Number of the version that was called" }),
    qualifier: z.string().optional().openapi({
      description: "The alias or the version that the caller named, if any",
    }),
    traceId,
    runtime: z.string().openapi({ description: "What executed the code" }),
    image: z.string().openapi({ description: "Image that the container started from" }),
    status: invocationStatus,
    start: startKind.optional(),
    containerId: z.string().optional().openapi({ description: "Id of the container" }),
    exitCode: z.number().int().optional().openapi({
      description: "Of the container's first process; absent while it has not ended",
    }),
    exitSignal: z.string().optional().openapi({
      description: "Name of the signal that ended it, if any",
      example: "SIGKILL",
    }),
    exitReason: exitReason.optional(),
    queuedAtUs: momentUs,
    startedAtUs: momentUs.optional().openapi({
      description: "When it had room and began, microseconds since the epoch",
    }),
    finishedAtUs: momentUs.optional().openapi({
      description: "When its end was known, microseconds since the epoch",
    }),
    exitedAtUs: momentUs.optional().openapi({
      description: "When the container's first process ended, microseconds since the epoch",
    }),
    queueUs: took("How long it waited for room"),
    takeUs: took("How long it took to get a container"),
    initUs: took("How long the function took to load, where it was not loaded yet"),
    runUs: took("How long the function ran"),
    recordUs: took("How long it took to write the record"),
    eventBytes: z.number().int().optional().openapi({ description: "Size of the event" }),
    answerBytes: z.number().int().optional().openapi({ description: "Size of the answer" }),
    error: z
      .object({
        code: z.string().openapi({ description: "The kind of error, as in a problem" }),
        name: z.string().optional().openapi({ description: "Class of what the function threw" }),
        message: z.string().openapi({ description: "What went wrong" }),
        stack: z.string().optional().openapi({ description: "Where it was thrown" }),
      })
      .optional()
      .openapi({ description: "Why it did not succeed" }),
    eventId: eventId.optional().openapi({ description: "The event that this is an attempt at" }),
    attempt: z.number().int().optional().openapi({ description: "Which attempt, from 1" }),
    stdoutBytes: z
      .number()
      .int()
      .openapi({ description: "How much it wrote to standard output, what was cut included" }),
    stdoutTruncated: z.boolean().openapi({ description: "Whether that was more than is kept" }),
    stderrBytes: z
      .number()
      .int()
      .openapi({ description: "How much it wrote to standard error, what was cut included" }),
    stderrTruncated: z.boolean().openapi({ description: "Whether that was more than is kept" }),
  })
  .openapi("Invocation", { example: invocationExample });

/** An invocation with its output. */
export const invocationDetail = invocation
  .extend({
    stdout: z.string().openapi({ description: "What it wrote to standard output" }),
    stderr: z.string().openapi({ description: "What it wrote to standard error" }),
  })
  .openapi("InvocationDetail", {
    example: { ...invocationExample, stdout: "greeting Ada\n", stderr: "" },
  });

export const invocationPage = pageOf(invocation).openapi("InvocationPage", {
  example: { items: [invocationExample], next: invocationExample.id },
});

export const invocationFilter = z.object({
  function: functionName.optional(),
  qualifier: z.string().max(64).optional().openapi({
    description: "Only where the caller named this alias or version",
  }),
  status: invocationStatus.optional(),
  reason: exitReason.optional(),
  kind: invocationKind.optional(),
  traceId: traceId.optional(),
  since: moment.optional().openapi({
    description: "Only those of this time or later: ISO 8601, or milliseconds since the epoch",
  }),
  until: moment.optional().openapi({
    description: "Only those before this time: ISO 8601, or milliseconds since the epoch",
  }),
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
