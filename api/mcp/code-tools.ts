import { z } from "zod";
import type { CellResult } from "../schema/sandbox-context.ts";
import { sandboxId, timeoutMs } from "./ids.ts";
import { sections, shown } from "./text.ts";
import { addTool, type Toolbox, type ToolAnswer } from "./tool.ts";

const runCode = z.strictObject({
  language: z.enum(["python", "node", "bash"]).describe("What the code is written in"),
  code: z.string().max(1_000_000).describe("The whole script"),
  stdin: z.string().max(1_000_000).default("").describe("What it reads from standard input"),
  timeoutMs,
});

const runCell = z.strictObject({
  sandboxId,
  contextId: z
    .uuid()
    .optional()
    .describe("The context to go on in; without it, a new one is opened and named in the answer"),
  language: z
    .enum(["python", "javascript"])
    .default("python")
    .describe("What a new context understands"),
  code: z.string().max(500_000).describe("One cell; the value of its last expression is shown"),
  timeoutMs,
});

/** Code that is run once, and code that finds what earlier code left behind. */
export function addCodeTools(toolbox: Toolbox): void {
  const { client } = toolbox;
  addTool(toolbox, {
    name: "run_code",
    description:
      "Run a Python, Node.js or Bash script once in a container of its own that is thrown away afterwards: nothing is kept, there is no network, 256 MiB of memory and 1 processor. Answers the exit code, stdout and stderr; of each stream 1 MiB is kept and at most 30,000 characters are shown, the beginning and the end.",
    input: runCode,
    hints: { readOnlyHint: true },
    run: async ({ language: runtime, code, ...rest }, signal) => {
      const result = await client.execute({ runtime, code: { source: code }, ...rest }, signal);
      const { exitCode, exitReason, runUs, outputEncoding } = result;
      const isText = outputEncoding === "utf8";
      const [stdout, stderr] = [result.stdout, result.stderr].map((each) =>
        shown(isText ? each : Buffer.from(each, "base64").toString()),
      ) as [ReturnType<typeof shown>, ReturnType<typeof shown>];
      const isCut =
        stdout.isCut || stderr.isCut || result.stdoutTruncated || result.stderrTruncated;
      const limit = exitReason === "timeout" ? ` after ${rest.timeoutMs} ms` : "";
      const end = `exit code ${exitCode} (${exitReason}${limit})${isCut ? ", output cut" : ""}`;
      return {
        text: [end, sections({ stdout: stdout.text, stderr: stderr.text })].join("\n").trimEnd(),
        data: {
          exitCode,
          exitReason,
          stdout: stdout.text,
          stderr: stderr.text,
          isCut,
          runMs: runUs / 1000,
        },
      };
    },
  });
  addTool(toolbox, {
    name: "run_cell",
    description:
      "Run a cell of Python or JavaScript in a sandbox as a notebook does: variables, imports and functions stay for the next cell of the same context. Answers stdout, stderr, results (text, and PNG images such as matplotlib figures) and the error with its traceback. A cell past its timeout is interrupted and leaves the context alive. A sandbox has at most 8 contexts; one cell runs at a time in each.",
    input: runCell,
    hints: { destructiveHint: true },
    run: async ({ sandboxId: id, contextId, language, ...cell }, signal) => {
      const context = contextId ?? (await client.openContext(id, { language })).id;
      return cellAnswer(context, await client.runCode(id, context, cell, signal));
    },
  });
}

function cellAnswer(contextId: string, result: CellResult): ToolAnswer {
  const { status, executionCount, error, message, results } = result;
  const stdout = shown(result.stdout.text);
  const stderr = shown(result.stderr.text);
  const values = results.map(({ data }) => shown(textOf(data)).text);
  const images = results.flatMap(({ data }) =>
    imageTypes.flatMap((mimeType) => {
      const bytes = data[mimeType];
      return typeof bytes === "string" ? [{ data: bytes, mimeType }] : [];
    }),
  );
  const traceback = shown(error?.traceback ?? "").text;
  const isCut =
    [stdout, stderr].some((each) => each.isCut) ||
    result.stdout.droppedBytes + result.stderr.droppedBytes + result.droppedResults > 0;
  const parts = {
    stdout: stdout.text,
    stderr: stderr.text,
    results: values.filter((value) => value !== "").join("\n"),
    error: traceback || (error === undefined ? "" : `${error.name}: ${error.message}`),
  };
  const said = message === undefined ? "" : `: ${message}`;
  const end = `${status}${said}; contextId ${contextId}${isCut ? "; output cut" : ""}`;
  return {
    text: [end, sections(parts)].join("\n").trimEnd(),
    data: { contextId, status, executionCount, ...parts, isCut, message },
    images,
  };
}

const imageTypes = ["image/png", "image/jpeg"];

/** A result as text: what it says of itself, or its JSON. */
function textOf(data: Readonly<Record<string, unknown>>): string {
  const { "text/plain": plain, "application/json": json } = data;
  if (typeof plain === "string") return plain;
  if (json !== undefined) return JSON.stringify(json);
  const html = data["text/html"];
  return typeof html === "string" ? html : "";
}
