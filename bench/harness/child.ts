import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { untilAborted, within } from "../../runtime/deadline.ts";

/** A process of the bench, in a session of its own: a Ctrl-C on the terminal reaches the harness alone. */
export interface Child extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Settles once it has ended; never rejects. */
  readonly ended: Promise<void>;
  /** Waits for its end. @throws `deadline_exceeded`, the signal's reason. */
  end(signal: AbortSignal): Promise<void>;
}

export interface ChildOptions {
  args: readonly string[];
  stdio: StdioOptions;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** How long it may take to end when it is asked to by SIGTERM; 0 kills it at once. */
  graceMs?: number;
}

const endTimeoutMs = 120_000;

/** Starts a process; disposing ends it. @throws Error if it cannot be started. */
export async function startChild(file: string, options: ChildOptions): Promise<Child> {
  const { args, stdio, env, cwd, graceMs = 0 } = options;
  const child = spawn(file, args, {
    stdio,
    detached: true,
    ...(env && { env }),
    ...(cwd !== undefined && { cwd }),
  });
  if (child.pid === undefined) {
    const [error] = (await once(child, "error")) as [Error];
    throw error;
  }
  child.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    process: child,
    pid: child.pid,
    ended,
    end: async (signal) => await within(ended, `see ${file} end`, endTimeoutMs, signal),
    [Symbol.asyncDispose]: async () => await stop(child, ended, graceMs),
  };
}

/** The first line that the process writes to standard output. @throws Error if it ends without one. */
export async function firstLine(child: Child, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  let complaint = "";
  child.process.stderr?.on("data", (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000);
  });
  child.process.stdout?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    const end = text.indexOf("\n");
    if (end >= 0) resolve(text.slice(0, end));
  });
  child.process.once("close", () => {
    reject(new Error(`A peer ended without an answer: ${complaint.trim() || "it said nothing"}`));
  });
  return await untilAborted(promise, signal);
}

async function stop(child: ChildProcess, ended: Promise<void>, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  if (graceMs > 0) {
    child.kill("SIGTERM");
    await within(ended, "see a process end", graceMs).catch(() => undefined);
  }
  child.kill("SIGKILL");
  await ended;
}
