import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../../api/client/client.ts";
import { within } from "../../runtime/deadline.ts";
import { testEnvironment } from "./server.ts";
import { tempDir } from "./temp-dir.ts";

const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;

/** How a child server ended. */
export interface ServerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A server of one test as a process of its own. Disposing it ends it and removes its directories.
 * @throws on disposal, where it ended in another way than the test wanted.
 */
export interface ChildServer extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly client: Client;
  readonly dataDir: string;
  readonly stateDir: string;
  /** What it has resident in memory, in bytes: now, and at the most so far. */
  memory(): { nowBytes: number; peakBytes: number };
  /** What it has logged so far, a line of JSON each. */
  log(): string;
  kill(signal: NodeJS.Signals): void;
  /** Waits for its end. */
  ended(): Promise<ServerEnd>;
}

export interface ChildServerOptions {
  /** What it gets beside the environment of every test server. */
  env?: Readonly<Record<string, string>>;
  /** The command that starts it, which gets its command line; none by default. */
  through?: readonly string[];
  /** Where its directories are; by default in one of its own, which goes with it. */
  directory?: string;
}

/** Starts `node api/server.ts` and waits until it listens. */
export async function startChildServer(options: ChildServerOptions = {}): Promise<ChildServer> {
  await using stack = new AsyncDisposableStack();
  const directory = options.directory ?? stack.use(await tempDir()).path;
  const own = testEnvironment(directory);
  const { child, end } = spawnServer(own, options);
  stack.defer(async () => await stop(child, end));
  const lines: string[] = [];
  const listening = within(urlOf(child, lines), "see the server listen", startTimeoutMs);
  const url = await listening.catch((cause: unknown) => {
    throw new Error(`The server did not listen:\n${lines.join("\n")}`, { cause });
  });
  const owned = stack.move();
  let isToBeKilled = false;
  return {
    pid: child.pid ?? 0,
    url,
    client: new Client({ url }),
    ...directoriesOf(own),
    memory: () => memoryOf(child.pid ?? 0),
    log: () => lines.join("\n"),
    kill(signal): void {
      isToBeKilled ||= signal === "SIGKILL";
      child.kill(signal);
    },
    ended: async () => await within(end, "see the server end", stopTimeoutMs),
    async [Symbol.asyncDispose](): Promise<void> {
      await owned.disposeAsync();
      const { code, signal } = await end;
      if (code === 0 || (signal === "SIGKILL" && isToBeKilled)) return;
      throw new Error(`The server of ${directory} ended with ${signal ?? `code ${code}`}`);
    },
  };
}

/** Starts a server as {@link startChildServer} does and kills it after a while, whether it listens or not. */
export async function killStarting(
  options: ChildServerOptions & { directory: string },
  afterMs: number,
): Promise<ServerEnd> {
  const { child, end } = spawnServer(testEnvironment(options.directory), options);
  child.stderr?.resume();
  await Promise.race([end, sleep(afterMs)]);
  child.kill("SIGKILL");
  return await within(end, "see the server end", stopTimeoutMs);
}

/** Where the server of a directory has what it keeps, and what lives as long as it does. */
export function directoriesIn(directory: string): Pick<ChildServer, "dataDir" | "stateDir"> {
  return directoriesOf(testEnvironment(directory));
}

function directoriesOf(own: Record<string, string>): Pick<ChildServer, "dataDir" | "stateDir"> {
  const { RUNLET_DATA_DIR: dataDir = "", RUNLET_STATE_DIR: stateDir = "" } = own;
  return { dataDir, stateDir };
}

function spawnServer(
  own: Record<string, string>,
  { through = [], env }: ChildServerOptions,
): { child: ChildProcess; end: Promise<ServerEnd> } {
  const program = join(import.meta.dirname, "../../api/server.ts");
  const [command, ...args] = [...through, process.execPath, program];
  const child = spawn(command, args, {
    env: { ...process.env, ...own, RUNLET_LOG_LEVEL: "info", ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const end = once(child, "exit").then(([code, signal]): ServerEnd => ({ code, signal }));
  return { child, end };
}

async function stop(child: ChildProcess, end: Promise<ServerEnd>): Promise<void> {
  child.kill("SIGTERM");
  try {
    await within(end, "see the server end", stopTimeoutMs);
  } catch {
    child.kill("SIGKILL");
    await end;
  }
}

/** The log is read to its end, lest the server should wait for a reader. */
async function urlOf(child: ChildProcess, lines: string[]): Promise<string> {
  if (child.stderr === null) throw new Error("A child server has no log");
  const url = Promise.withResolvers<string>();
  createInterface({ input: child.stderr })
    .on("line", (line) => {
      lines.push(line);
      const found = /"url":"([^"]+)"/.exec(line)?.[1];
      if (found !== undefined) url.resolve(found);
    })
    .on("close", () => url.reject(new Error("Its log has ended")));
  return await url.promise;
}

function memoryOf(pid: number): { nowBytes: number; peakBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytesOf = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
  return { nowBytes: bytesOf("VmRSS"), peakBytes: bytesOf("VmHWM") };
}
