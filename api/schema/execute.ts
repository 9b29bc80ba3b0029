import { z } from "@hono/zod-openapi";
import { code } from "./code.ts";
import { environment, invocationId, traceId } from "./common.ts";
import { functionConfig } from "./function.ts";
import { limits } from "./limits.ts";
import { exitReason } from "./invocation.ts";
import { problem } from "./problem.ts";

/** A snippet or files to run once. */
export const executeRequest = z
  .strictObject({
    runtime: z.enum(["node", "python", "bash", "command"]).openapi({
      description: "What runs the code; command runs a program of the image or of the code",
    }),
    code: code.optional(),
    entry: z.string().max(1024).optional().openapi({
      description:
        "The file to run; by default the only one, or the first that is named main or index",
    }),
    command: functionConfig.shape.command,
    args: z
      .array(z.string().max(65_536))
      .max(1000)
      .default([])
      .openapi({ description: "Arguments of the program" }),
    stdin: z.string().default("").openapi({ description: "What the program reads" }),
    stdinEncoding: z
      .enum(["utf8", "base64"])
      .default("utf8")
      .openapi({ description: "How stdin stands for bytes" }),
    image: functionConfig.shape.image,
    env: environment.default({}),
    ...limits,
  })
  .superRefine((request, context) => {
    const isCommand = request.runtime === "command";
    if (isCommand !== (request.command !== undefined)) {
      context.addIssue({
        code: "custom",
        path: ["command"],
        message: "expected with runtime command, and only with it",
      });
    }
    if (!isCommand && request.code === undefined) {
      context.addIssue({ code: "custom", path: ["code"], message: "expected the code to run" });
    }
  })
  .openapi("ExecuteRequest", {
    example: { runtime: "python", code: { source: "print(6 * 7)" }, timeoutMs: 5000 },
  });

/** How a snippet ended. */
export const executeResult = z
  .object({
    invocationId,
    traceId,
    exitCode: z.number().int().openapi({ description: "128 + n where signal n ended it" }),
    exitSignal: z.string().optional().openapi({
      description: "Name of the signal that ended it, if any",
      example: "SIGKILL",
    }),
    exitReason,
    stdout: z.string().openapi({ description: "What it wrote to standard output" }),
    stderr: z.string().openapi({ description: "What it wrote to standard error" }),
    outputEncoding: z.enum(["utf8", "base64"]).openapi({
      description: "base64 where stdout or stderr is not valid UTF-8",
    }),
    stdoutTruncated: z.boolean().openapi({ description: "There was more than outputBytes" }),
    stderrTruncated: z.boolean().openapi({ description: "Likewise of stderr" }),
    queueUs: z.number().int().openapi({ description: "How long it waited for room, microseconds" }),
    runUs: z.number().int().openapi({ description: "How long it ran, microseconds" }),
  })
  .openapi("ExecuteResult", {
    example: {
      invocationId: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      exitCode: 0,
      exitReason: "exited",
      stdout: "42\n",
      stderr: "",
      outputEncoding: "utf8",
      stdoutTruncated: false,
      stderrTruncated: false,
      queueUs: 206,
      runUs: 130_448,
    },
  });

/** What a follower of a run is told. */
export const executeEvent = z
  .discriminatedUnion("type", [
    z.object({
      type: z.literal("started").openapi({ description: "It has got its turn" }),
      invocationId,
    }),
    z.object({
      type: z.literal("output").openapi({ description: "It wrote something" }),
      stream: z.enum(["stdout", "stderr"]).openapi({ description: "Where it wrote" }),
      text: z.string().openapi({ description: "What it wrote" }),
      encoding: z.enum(["utf8", "base64"]).openapi({
        description: "base64 where it is not valid UTF-8, such as a part of a character",
      }),
    }),
    executeResult
      .omit({ stdout: true, stderr: true, outputEncoding: true })
      .extend({ type: z.literal("end").openapi({ description: "It has ended" }) }),
    z.object({
      type: z.literal("failed").openapi({ description: "It could not be run to its end" }),
      problem: problem.openapi({ description: "Why" }),
    }),
  ])
  .openapi("ExecuteEvent", {
    example: { type: "output", stream: "stdout", text: "42\n", encoding: "utf8" },
  });

export type ExecuteEvent = z.infer<typeof executeEvent>;
export type ExecuteRequest = z.infer<typeof executeRequest>;
export type ExecuteRequestInput = z.input<typeof executeRequest>;
export type ExecuteResult = z.infer<typeof executeResult>;
