import { z } from "@hono/zod-openapi";
import { environment, momentUs, pageLimit, pageOf } from "./common.ts";
import { limits } from "./limits.ts";
import { sandboxId, sandboxPath, sandboxUser } from "./sandbox.ts";

export const commandId = z.uuid().openapi({
  description: "Id of a command",
  example: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
});

const text = z
  .string()
  .max(131_072)
  .regex(/^[^\0]*$/, { error: "expected no NUL character" });

export const terminalSize = z
  .object({
    cols: z.number().int().min(1).max(1000).openapi({ description: "Characters in a line" }),
    rows: z.number().int().min(1).max(1000).openapi({ description: "Lines" }),
  })
  .openapi("TerminalSize", { example: { cols: 80, rows: 24 } });

/** What is to be run in a sandbox. */
export const commandSpec = z
  .object({
    command: text.min(1).optional().openapi({
      description: "A line for /bin/sh; or give args",
      example: "echo hello",
    }),
    args: z.array(text).min(1).max(1024).optional().openapi({
      description: "A program and its arguments, which no shell looks at",
    }),
    env: environment.default({}).openapi({ description: "Added to the sandbox's environment" }),
    cwd: sandboxPath.optional(),
    user: sandboxUser.optional(),
    tag: z.string().min(1).max(64).optional().openapi({ description: "A name to find it by" }),
    terminal: terminalSize.optional().openapi({
      description: "Gives it a terminal of this size; its output is one stream, pty",
    }),
    stdin: text.optional().openapi({ description: "All of its input" }),
    hasStdin: z.boolean().default(false).openapi({
      description: "Whether input will follow by requests of its own",
    }),
    timeoutMs: z
      .number()
      .int()
      .min(1)
      .max(7 * 86_400_000)
      .optional()
      .openapi({
        description:
          "After this time the command is killed with all of its session, and not the sandbox; where the agent inside does not do that within 10 s, or 30 s of a busy sandbox, the sandbox is ended",
      }),
    background: z.boolean().default(false).openapi({
      description: "Answers as soon as it has started; it goes on beyond the request",
    }),
    killOnDisconnect: z.boolean().default(false).openapi({
      description: "Kills it when whoever waits for it goes away",
    }),
    outputBytes: limits.outputBytes,
  })
  .strict()
  .refine((spec) => (spec.command === undefined) !== (spec.args === undefined), {
    error: "expected either command or args",
  })
  .openapi("CommandSpec", { example: { command: "echo hello", timeoutMs: 10_000 } });

export type CommandSpecInput = z.input<typeof commandSpec>;
export type CommandSpec = z.infer<typeof commandSpec>;

const example = {
  id: "019a3c1e-7a10-7000-9c1d-2b3a4c5d6e7f",
  sandboxId: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
  pid: 7,
  args: ["/bin/sh", "-c", "echo hello"],
  hasTerminal: false,
  startedAtUs: 1_795_486_875_591_246,
  endedAtUs: 1_795_486_875_599_117,
  exitCode: 0,
  reason: "exited",
};

/** A command of a sandbox, running or ended. */
export const sandboxCommand = z
  .object({
    id: commandId,
    sandboxId,
    pid: z.number().int().openapi({ description: "Number of the process inside" }),
    args: z.array(z.string()).openapi({ description: "The program and its arguments" }),
    cwd: z
      .string()
      .optional()
      .openapi({ description: "Directory that it was started in, where one was named" }),
    user: z
      .string()
      .optional()
      .openapi({ description: "Account that it runs as, where one was named" }),
    tag: z.string().optional().openapi({ description: "The name that it was given" }),
    hasTerminal: z.boolean().openapi({ description: "Whether it has a terminal" }),
    startedAtUs: momentUs,
    endedAtUs: momentUs.optional(),
    exitCode: z
      .number()
      .int()
      .optional()
      .openapi({ description: "128 + n where signal n ended it" }),
    signal: z
      .string()
      .optional()
      .openapi({ description: "Name of the signal that ended it", example: "SIGKILL" }),
    reason: z.string().optional().openapi({
      description: "exited, signaled, timeout, or why its sandbox ended",
    }),
  })
  .openapi("SandboxCommand", { example });

export type SandboxCommand = z.infer<typeof sandboxCommand>;

export const commandPage = pageOf(sandboxCommand).openapi("SandboxCommandPage", {
  example: { items: [example] },
});

export const commandFilter = z.object({
  state: z.enum(["running", "ended"]).optional().openapi({ description: "Only such commands" }),
  before: commandId
    .optional()
    .openapi({ description: "Those older than this one: the `next` of a page" }),
  limit: pageLimit,
});

export type CommandQuery = z.input<typeof commandFilter>;

const writtenText = z.string().openapi({ description: "What was written" });
const encoding = z.enum(["utf8", "base64"]).openapi({
  description: "base64 where it is not valid UTF-8",
});

const output = z.object({
  text: writtenText,
  encoding,
  truncated: z.boolean().openapi({ description: "Whether more was written than is kept" }),
});

/** A command that has ended, with what it wrote. */
export const commandResult = sandboxCommand
  .extend({
    stdout: output.openapi({ description: "What it wrote; of a terminal, all of it" }),
    stderr: output.openapi({ description: "What it wrote to standard error" }),
  })
  .openapi("SandboxCommandResult", {
    example: {
      ...example,
      stdout: { text: "hello\n", encoding: "utf8", truncated: false },
      stderr: { text: "", encoding: "utf8", truncated: false },
    },
  });

export type CommandResult = z.infer<typeof commandResult>;

const told = sandboxCommand.openapi({ description: "The command as it is now" });

/** What a follower of a command is told. */
export const commandEvent = z
  .discriminatedUnion("type", [
    z.object({
      type: z.literal("started").openapi({ description: "It has been started" }),
      command: told,
    }),
    z.object({
      type: z.literal("output").openapi({ description: "It wrote something" }),
      stream: z.enum(["stdout", "stderr", "pty"]).openapi({
        description: "Where it wrote; a terminal is one stream, pty",
      }),
      text: writtenText,
      encoding,
    }),
    z.object({
      type: z.literal("dropped").openapi({ description: "Some of what it wrote is not told" }),
      bytes: z.number().int().openapi({ description: "How much that is" }),
    }),
    z.object({
      type: z.literal("exit").openapi({ description: "It has ended" }),
      command: told,
    }),
    z.object({
      type: z.literal("gone").openapi({ description: "There is no more to follow" }),
      message: z.string().openapi({ description: "Why" }),
    }),
  ])
  .openapi("SandboxCommandEvent", {
    example: { type: "output", stream: "stdout", text: "hello\n", encoding: "utf8" },
  });

export type CommandEvent = z.infer<typeof commandEvent>;

export const signalRequest = z
  .object({
    signal: z
      .string()
      .regex(/^(?:SIG)?[A-Z][A-Z0-9]{1,7}(?:[+-]\d{1,2})?$/, {
        error: "expected the name of a signal, such as SIGTERM, USR1 or SIGRTMIN+3",
      })
      .openapi({
        description:
          "Goes to the command and to all of its session; any that Linux has, with SIG or without, real-time ones as SIGRTMIN, SIGRTMIN+1 to SIGRTMAX-1, SIGRTMAX",
        example: "SIGTERM",
      }),
  })
  .strict()
  .openapi("SignalRequest", { example: { signal: "SIGTERM" } });
