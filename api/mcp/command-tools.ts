import { z } from "zod";
import type { Client } from "../client/client.ts";
import { commandId, sandboxId, timeoutMs } from "./ids.ts";
import { Excerpt, sections, shown } from "./text.ts";
import { addTool, type Toolbox, type ToolAnswer } from "./tool.ts";

const run = z.strictObject({
  sandboxId,
  command: z.string().min(1).max(100_000).describe("A line for /bin/sh"),
  cwd: z.string().max(4096).optional().describe("Directory to run in"),
  env: z.record(z.string(), z.string()).default({}).describe("Further environment variables"),
  user: z
    .enum(["runlet", "root"])
    .optional()
    .describe("root is root of the sandbox alone, such as to install packages"),
  stdin: z.string().max(100_000).optional().describe("All that it reads from standard input"),
  background: z
    .boolean()
    .default(false)
    .describe("Answer as soon as it has started, such as for a server; read_command reads on"),
  timeoutMs,
});

/** Commands in a sandbox. */
export function addCommandTools(toolbox: Toolbox): void {
  const { client } = toolbox;
  addTool(toolbox, {
    name: "run_command",
    description:
      "Run a shell command in a sandbox and wait for its end, or with background start it and go on. Answers the exit code, stdout and stderr; of each stream the first 1 MiB is kept and at most 30,000 characters are shown. A command past its timeout is killed with what it has started; background commands have none unless it is given.",
    input: run.extend({ timeoutMs: timeoutMs.unwrap().optional() }),
    hints: { destructiveHint: true },
    run: async ({ sandboxId: id, background, timeoutMs: limitMs, ...spec }, signal) => {
      if (background) {
        const started = await client.startCommand(id, { ...spec, timeoutMs: limitMs });
        const data = { commandId: started.id, pid: started.pid };
        return { text: `Started: commandId ${started.id}`, data };
      }
      const bounds = { timeoutMs: limitMs ?? defaultTimeoutMs, killOnDisconnect: true };
      const result = await client.runCommand(id, { ...spec, ...bounds }, signal);
      const texts = [result.stdout, result.stderr].map(({ text, encoding }) =>
        shown(encoding === "base64" ? Buffer.from(text, "base64").toString() : text),
      );
      const [stdout = shown(""), stderr = shown("")] = texts;
      const isCut =
        texts.some((each) => each.isCut) || result.stdout.truncated || result.stderr.truncated;
      const { exitCode, reason } = result;
      const limit = reason === "timeout" ? ` after ${bounds.timeoutMs} ms` : "";
      const end = `exit code ${exitCode} (${reason}${limit})${isCut ? ", output cut" : ""}`;
      return {
        text: [end, sections({ stdout: stdout.text, stderr: stderr.text })].join("\n").trimEnd(),
        data: { exitCode, reason, stdout: stdout.text, stderr: stderr.text, isCut },
      };
    },
  });
  addTool(toolbox, {
    name: "read_command",
    description:
      "Read what a command that was started in the background has written so far (the last 1 MiB is kept, at most 30,000 characters are shown), and whether it still runs. Waits up to waitMs for its end.",
    input: z.strictObject({
      sandboxId,
      commandId,
      waitMs: z.number().int().min(0).max(50_000).default(500).describe("How long to wait"),
    }),
    hints: { readOnlyHint: true },
    run: async ({ sandboxId: id, commandId: command, waitMs }, signal) =>
      await readCommand(client, { id, command, waitMs, signal }),
  });
  addTool(toolbox, {
    name: "kill_command",
    description: "Send a signal to a command of a sandbox and to all that it has started.",
    input: z.strictObject({
      sandboxId,
      commandId,
      signal: z.enum(["SIGTERM", "SIGKILL", "SIGINT", "SIGHUP"]).default("SIGTERM"),
    }),
    hints: { destructiveHint: true },
    run: async ({ sandboxId: id, commandId: command, signal }) => {
      await client.signalCommand(id, command, signal);
      return { text: `Sent ${signal} to ${command}.`, data: { commandId: command, signal } };
    },
  });
}

const defaultTimeoutMs = timeoutMs.parse(undefined);

interface Reading {
  readonly id: string;
  readonly command: string;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

async function readCommand(
  client: Client,
  { id, command, waitMs, signal }: Reading,
): Promise<ToolAnswer> {
  const enough = AbortSignal.timeout(waitMs);
  const output = new Excerpt();
  try {
    const both = AbortSignal.any([signal, enough]);
    for await (const event of client.followCommand(id, command, { signal: both })) {
      if (event.type !== "output") continue;
      const { text, encoding } = event;
      output.add(encoding === "base64" ? Buffer.from(text, "base64").toString() : text);
    }
  } catch (error) {
    if (!enough.aborted || signal.aborted) throw error;
  }
  const { exitCode, reason, endedAtUs } = await client.command(id, command);
  const isRunning = endedAtUs === undefined;
  const { text, isCut } = output.shown;
  const state = isRunning ? "still running" : `exit code ${exitCode} (${reason})`;
  return {
    text: [`${state}${isCut ? ", output cut" : ""}`, sections({ output: text })]
      .join("\n")
      .trimEnd(),
    data: { isRunning, exitCode, reason, output: text, isCut },
  };
}
