import { z } from "@hono/zod-openapi";
import { environment, momentUs, pageOf } from "./common.ts";
import { sandboxId, sandboxPath, sandboxUser } from "./sandbox.ts";

export const contextId = z.uuid().openapi({
  description: "Id of a context",
  example: "6f1c2d3e-8b7a-4c5d-9e0f-1a2b3c4d5e6f",
});

const language = z.enum(["python", "javascript"]).openapi({ description: "What its cells are" });

/** A context to open. */
export const contextSpec = z
  .strictObject({
    language,
    cwd: sandboxPath.optional(),
    env: environment.default({}).openapi({ description: "Added to the sandbox's environment" }),
    user: sandboxUser.optional(),
  })
  .openapi("ContextSpec", { example: { language: "python", cwd: "work" } });

export type ContextSpec = z.infer<typeof contextSpec>;
export type ContextSpecInput = z.input<typeof contextSpec>;

const state = z.enum(["idle", "busy", "ended"]).openapi({
  description: "ended: what its cells left behind is gone, and none runs in it any more",
});

const executionCount = z.number().int().openapi({ description: "How many cells it has run" });

const contextExample = {
  id: "6f1c2d3e-8b7a-4c5d-9e0f-1a2b3c4d5e6f",
  sandboxId: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
  language: "python" as const,
  state: "idle" as const,
  executionCount: 3,
  createdAtUs: 1_795_486_875_591_246,
};

/** A context: a process that keeps what cells leave behind. */
export const codeContext = z
  .object({
    id: contextId,
    sandboxId,
    language,
    cwd: z.string().optional().openapi({ description: "Where it runs, where that was named" }),
    user: z.string().optional().openapi({ description: "As whom it runs, where that was named" }),
    state,
    executionCount,
    createdAtUs: momentUs,
    endedAtUs: momentUs.optional(),
    endReason: z.string().optional().openapi({ description: "Why it has ended" }),
  })
  .openapi("CodeContext", { example: contextExample });

export type CodeContext = z.infer<typeof codeContext>;

export const contextPage = pageOf(codeContext).openapi("CodeContextPage", {
  example: { items: [contextExample] },
});

/** Code to run in a context. */
export const cellSpec = z
  .strictObject({
    code: z
      .string()
      .max(512 * 1024)
      .openapi({ description: "One cell" }),
    timeoutMs: z.number().int().min(1).max(86_400_000).default(60_000).openapi({
      description:
        "How long it may run; then it is interrupted, and if it does not heed that the context ends",
    }),
    outputBytes: z
      .number()
      .int()
      .min(0)
      .max(16 * 1024 * 1024)
      .default(1024 * 1024)
      .openapi({
        description: "How much of each of stdout and stderr is told; the rest is dropped",
      }),
  })
  .openapi("CellSpec", { example: { code: "x = 6 * 7\nx", timeoutMs: 10_000 } });

export type CellSpec = z.infer<typeof cellSpec>;
export type CellSpecInput = z.input<typeof cellSpec>;

const result = z.object({
  data: z.record(z.string(), z.unknown()).openapi({
    description: "By media type: text, bytes in base64, and JSON as it is",
    example: { "text/plain": "42" },
  }),
  isMain: z.boolean().openapi({ description: "Whether it is the value of the last expression" }),
  cut: z.array(z.string()).openapi({
    description: "Media types whose values were too long: text is cut, others are left out",
  }),
});

const error = z.object({
  name: z.string().openapi({ description: "Name of what was thrown", example: "ValueError" }),
  message: z.string().openapi({ description: "What it says" }),
  traceback: z.string().openapi({ description: "Where it came from, with the lines of the cell" }),
});

const execution = z.object({
  executionCount: z.number().int().openapi({ description: "Number of the cell in its context" }),
  status: z.enum(["ok", "error", "interrupted", "timeout", "ended"]).openapi({
    description: "ended: the context has ended under it",
  }),
  message: z.string().optional().openapi({ description: "Why its context has ended" }),
  contextState: state,
  startedAtUs: momentUs,
  endedAtUs: momentUs,
});

const written = z.object({
  text: z.string().openapi({ description: "What was written" }),
  droppedBytes: z.number().int().openapi({ description: "How much more was written" }),
});

const executionExample = {
  executionCount: 1,
  status: "ok" as const,
  contextState: "idle" as const,
  startedAtUs: 1_795_486_875_591_246,
  endedAtUs: 1_795_486_875_599_117,
};

/** What came of a cell. */
export const cellResult = execution
  .extend({
    stdout: written.openapi({ description: "What it and its processes wrote" }),
    stderr: written.openapi({ description: "What they wrote to standard error" }),
    results: z.array(result).openapi({ description: "What it showed, in order" }),
    droppedResults: z.number().int().openapi({ description: "How many more there were" }),
    error: error.optional().openapi({ description: "What it threw" }),
  })
  .openapi("CellResult", {
    example: {
      ...executionExample,
      stdout: { text: "hello\n", droppedBytes: 0 },
      stderr: { text: "", droppedBytes: 0 },
      results: [{ data: { "text/plain": "42" }, isMain: true, cut: [] }],
      droppedResults: 0,
    },
  });

export type CellResult = z.infer<typeof cellResult>;

/** What a follower of a cell is told. */
export const cellEvent = z
  .discriminatedUnion("type", [
    z.object({
      type: z.literal("started").openapi({ description: "Its turn has come" }),
      executionCount: execution.shape.executionCount,
      startedAtUs: momentUs,
    }),
    z.object({
      type: z.literal("output").openapi({ description: "It wrote something" }),
      stream: z.enum(["stdout", "stderr"]).openapi({ description: "Where it wrote" }),
      text: z.string().openapi({ description: "What it wrote" }),
    }),
    result.extend({ type: z.literal("result").openapi({ description: "It showed something" }) }),
    error.extend({ type: z.literal("error").openapi({ description: "It threw something" }) }),
    execution.extend({
      type: z.literal("end").openapi({ description: "It is over" }),
      droppedBytes: z
        .object({
          stdout: z.number().int().openapi({ description: "How much more was written" }),
          stderr: z.number().int().openapi({ description: "Likewise of stderr" }),
        })
        .openapi({ description: "What was written and not told" }),
      droppedResults: z.number().int().openapi({ description: "How many results were not told" }),
    }),
  ])
  .openapi("CellEvent", { example: { type: "output", stream: "stdout", text: "hello\n" } });

export type CellEvent = z.infer<typeof cellEvent>;
