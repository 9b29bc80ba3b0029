import { Command, Option } from "commander";
import { basename } from "node:path";
import { constants } from "node:os";
import type { Client } from "../../client/client.ts";
import type { ExecuteRequestInput, ExecuteResult } from "../../schema/execute.ts";
import { duration } from "../format.ts";
import { readInput, readStdin } from "../input.ts";
import {
  clientOf,
  type LimitOptions,
  limitsOf,
  type ServerOptions,
  withLimits,
  withServer,
} from "../options.ts";
import { printJson } from "../output.ts";
import { OutputWriter } from "../terminal.ts";
import { languageOf } from "../language.ts";

type Runtime = ExecuteRequestInput["runtime"];

interface RunOptions extends ServerOptions, LimitOptions {
  runtime?: Runtime;
  stdin?: boolean;
  verbose?: boolean;
}

type ExecuteEnd = Omit<ExecuteResult, "stdout" | "stderr" | "outputEncoding">;

const stdinFileNames = { node: "main.mjs", python: "main.py", bash: "main.sh" };

const examples = [
  "runlet run script.py --an-argument-of-the-script",
  "echo 'console.log(1 + 1)' | runlet run --runtime node -",
  "runlet run -i ./count-words.sh < input.txt",
  "runlet run --runtime command uname -a",
];

/** `runlet run`. */
export function runCommand(): Command {
  const command = new Command("run")
    .description("run a script once in a fresh sandbox; exits with its exit code")
    .argument("<file>", "the script, or - for standard input; with --runtime command, a program")
    .argument("[args...]", "arguments of the script; options of `run` stand before the script")
    .passThroughOptions()
    .addOption(
      new Option("--runtime <runtime>", "guessed from the file's name by default").choices([
        "node",
        "python",
        "bash",
        "command",
      ]),
    )
    .option("-i, --stdin", "read standard input to its end and give it to the script")
    .option("-v, --verbose", "tell the invocation id and the time on stderr");
  return withServer(withLimits(command), examples).action(
    async (file: string, args: string[], options: RunOptions) => {
      if (file === "-" && options.stdin) {
        command.error("expected one use of standard input: as the script, or with -i as its input");
      }
      const request = await requestOf(file, args, options);
      const client = clientOf(options);
      const result = options.json
        ? await client.execute(request)
        : await printed(client.streamExecute(request));
      if (options.json) printJson(result);
      else note(result);
      if (options.verbose && !options.json) {
        process.stderr.write(`${result.invocationId} ran ${duration(result.runUs)}\n`);
      }
      process.exitCode = scriptExitCode(result);
    },
  );
}

async function requestOf(
  file: string,
  args: string[],
  options: RunOptions,
): Promise<ExecuteRequestInput> {
  const runtime = options.runtime ?? languageOf(file);
  if (runtime === undefined) {
    throw new Error(
      `Cannot tell the runtime of ${file}: name it with --runtime node, python, bash or command`,
    );
  }
  const program =
    runtime === "command"
      ? { runtime, command: [file, ...args] }
      : { runtime, args, code: { files: [await codeFile(file, runtime)] } };
  const stdin = options.stdin ? (await readStdin()).toString("base64") : "";
  return { ...program, ...limitsOf(options), stdin, stdinEncoding: "base64" };
}

async function codeFile(
  file: string,
  runtime: keyof typeof stdinFileNames,
): Promise<{ path: string; content: string; encoding: "base64" }> {
  const path = file === "-" ? stdinFileNames[runtime] : basename(file);
  return { path, content: (await readInput(file)).toString("base64"), encoding: "base64" };
}

/** Prints what a script writes as it comes, and answers how it ended. */
async function printed(events: ReturnType<Client["streamExecute"]>): Promise<ExecuteEnd> {
  const output = new OutputWriter();
  for await (const event of events) {
    if (event.type === "end") return event;
    if (event.type === "output") output.write(event.stream, event.text, event.encoding);
  }
  throw new Error("Cannot tell how the script ended: the server went away");
}

/** Tells how a script ended, where that is not all well. */
function note(result: ExecuteEnd): void {
  if (result.stdoutTruncated || result.stderrTruncated) {
    process.stderr.write("[output cut: raise the bound with --output-bytes]\n");
  }
  const ending = notes[result.exitReason] ?? `ended: ${result.exitReason}`;
  const how = result.exitReason === "signaled" ? `${ending} ${result.exitSignal}` : ending;
  if (result.exitReason !== "exited") process.stderr.write(`[${how}]\n`);
}

const notes: Readonly<Record<string, string>> = {
  signaled: "killed by",
  timeout: "timed out: raise the limit with --timeout-ms",
  oom: "out of memory: raise the limit with --memory-bytes",
};

/** As a shell has it: 128 + n for signal n, and 124 for a timeout as timeout(1). */
function scriptExitCode(result: ExecuteEnd): number {
  if (result.exitReason === "timeout") return 124;
  const signal = result.exitSignal as keyof typeof constants.signals | undefined;
  return signal === undefined ? result.exitCode : 128 + constants.signals[signal];
}
