import { join } from "node:path";
import { execa } from "execa";
import { spawn } from "node-pty";
import { within } from "../../../runtime/deadline.ts";

const cli = join(import.meta.dirname, "../../../api/cli");
const timeoutMs = 60_000;

export interface RunletOptions {
  /** The server; a port where nothing listens by default. */
  url?: string;
  /** Standard input; nothing by default. */
  input?: string | undefined;
  /** Standard input is a pipe that never ends. */
  isInputOpen?: boolean | undefined;
  cwd?: string;
  env?: Record<string, string>;
  /** A program of api/cli other than `main.ts`. */
  program?: string;
}

/** How a command ended. */
export interface Ended {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Uint8Array;
}

/** Runs `runlet` as a shell would, with pipes for its output. */
export async function runlet(args: readonly string[], options: RunletOptions = {}): Promise<Ended> {
  const { input, isInputOpen = false, cwd, program = "main.ts" } = options;
  const ended = await execa(process.execPath, [join(cli, program), ...args], {
    env: environmentOf(options),
    extendEnv: false,
    encoding: "buffer",
    reject: false,
    stripFinalNewline: false,
    timeout: timeoutMs,
    stdin: isInputOpen || input !== undefined ? "pipe" : "ignore",
    ...(input !== undefined && { input }),
    ...(cwd !== undefined && { cwd }),
  });
  return {
    exitCode: ended.exitCode,
    stdout: Buffer.from(ended.stdout).toString(),
    stderr: Buffer.from(ended.stderr).toString(),
    stdoutBytes: ended.stdout,
  };
}

/** A command on a terminal of its own; disposing it kills it. */
export interface OnTerminal extends Disposable {
  /** What is on the screen so far, with its control sequences. */
  screen(): string;
  type(text: string): void;
  resize(cols: number, rows: number): void;
  ended(): Promise<{ exitCode: number; screen: string }>;
}

/** Starts `runlet` on a terminal. */
export function runletOnTerminal(args: readonly string[], options: RunletOptions = {}): OnTerminal {
  const { cwd, program = "main.ts" } = options;
  const terminal = spawn(process.execPath, [join(cli, program), ...args], {
    cols: 200,
    env: { ...environmentOf(options), TERM: "xterm-256color" },
    ...(cwd !== undefined && { cwd }),
  });
  let screen = "";
  let isOver = false;
  terminal.onData((text) => {
    screen += text;
  });
  const end = Promise.withResolvers<number>();
  terminal.onExit(({ exitCode }) => {
    isOver = true;
    end.resolve(exitCode);
  });
  return {
    screen: () => screen,
    type: (text) => terminal.write(text),
    resize: (cols, rows) => terminal.resize(cols, rows),
    ended: async () => {
      const exitCode = await within(end.promise, "see the command end", timeoutMs);
      return { exitCode, screen };
    },
    [Symbol.dispose](): void {
      if (!isOver) terminal.kill("SIGKILL");
    },
  };
}

/** Ours without what would change the looks or the server of a command. */
function environmentOf({ url, env }: RunletOptions): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:RUNLET_.*|CI|TEAMCITY_VERSION|NO_COLOR|FORCE_COLOR|NODE_.*)$/.test(name),
  ) as [string, string][];
  return { ...Object.fromEntries(kept), RUNLET_URL: url ?? "http://127.0.0.1:1", ...env };
}
