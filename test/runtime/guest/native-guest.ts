import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { within } from "../../../runtime/deadline.ts";
import { Channel, type Received } from "../../../runtime/guest/channel.ts";
import type {
  GuestMessage,
  InvokeMessage,
  LoadMessage,
  TaskEntry,
} from "../../../runtime/guest/messages.ts";
import { runnerArgs } from "../../../runtime/guest/program.ts";

/** Code by path: a file's text, or where a link points to. */
export type Source = Readonly<Record<string, string | { link: string }>>;

/** Generous: the machine may be busy with other tests. */
const patienceMs = 30_000;

/** The runners that run without a sandbox: the third one has a port of its own. */
export type NativeRuntime = "node" | "python";

/** The interpreters that tests start; the system's python, since a version manager's is a slow script. */
export const executables: Readonly<Record<NativeRuntime, string>> = {
  node: process.execPath,
  python: existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3",
};

/** A runner as a plain child process, with descriptor 3 as its channel and no sandbox around it. */
export class NativeGuest implements AsyncDisposable {
  readonly channel: Channel;
  readonly hello: GuestMessage;
  readonly root: string;
  readonly #directory: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #output = { stdout: "", stderr: "" };

  private constructor(
    child: ChildProcess,
    channel: Channel,
    hello: GuestMessage,
    directory: string,
  ) {
    this.#child = child;
    this.#directory = directory;
    this.channel = channel;
    this.hello = hello;
    this.root = join(directory, "task");
    this.#ended = once(child, "close");
    for (const name of ["stdout", "stderr"] as const) {
      child[name]?.setEncoding("utf8").on("data", (text: string) => (this.#output[name] += text));
    }
  }

  static async start(runtime: NativeRuntime): Promise<NativeGuest> {
    const [file = "", ...args] = runnerArgs(runtime, executables[runtime]);
    const directory = await mkdtemp(join(tmpdir(), "runlet-test-guest-"));
    const child = spawn(file, args, {
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      cwd: directory,
      env: { PATH: process.env["PATH"] },
    });
    const channel = new Channel(child.stdio[3] as Duplex);
    const hello = await within(channel.next(), "hear hello", patienceMs);
    assert.ok(hello, "the runner ended before hello");
    return new NativeGuest(child, channel, hello.message, directory);
  }

  /** The child itself, for tests that kill it. */
  get process(): ChildProcess {
    return this.#child;
  }

  /** What it has written to stdout so far. */
  get stdout(): string {
    return this.#output.stdout;
  }

  async load(source: Source, options: Partial<LoadMessage> = {}): Promise<GuestMessage> {
    const { message, body } = loadMessage(source, { root: this.root, ...options });
    await this.channel.send(message, body);
    return (await this.receive()).message;
  }

  async invoke(event?: unknown, options: Partial<InvokeMessage> = {}): Promise<Received> {
    const body = event === undefined || event instanceof Uint8Array ? event : json(event);
    await this.channel.send(
      { type: "invoke", id: "inv-1", deadlineAtMs: Date.now() + 60_000, ...options },
      body,
    );
    return await this.receive();
  }

  async receive(): Promise<Received> {
    const received = await within(this.channel.next(), "hear the guest", patienceMs);
    assert.ok(received, `the guest ended: ${this.#output.stderr}`);
    return received;
  }

  /** Waits for the end of the process and of its output. */
  async end(): Promise<{ code: number | null; stdout: string; stderr: string }> {
    await within(this.#ended, "see the guest end", patienceMs);
    return { code: this.#child.exitCode, ...this.#output };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.channel.close();
    this.#child.kill("SIGKILL");
    await this.#ended;
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** A guest that has loaded `source`. */
export async function loadedGuest(
  runtime: NativeRuntime,
  source: Source,
  options?: Partial<LoadMessage>,
): Promise<NativeGuest> {
  const guest = await NativeGuest.start(runtime);
  const message = await guest.load(source, options);
  if (message.type === "loaded") return guest;
  await guest[Symbol.asyncDispose]();
  return assert.fail(`Cannot load: ${JSON.stringify(message)}`);
}

/** The load message of some code, and its body. */
export function loadMessage(
  source: Source,
  options: Partial<LoadMessage> = {},
): { message: LoadMessage; body: Buffer } {
  const bodies: Buffer[] = [];
  const files = Object.entries(source).map(([path, content]): TaskEntry => {
    if (typeof content !== "string") return { path, link: content.link };
    const bytes = Buffer.from(content);
    bodies.push(bytes);
    return { path, mode: 0o644, size: bytes.length };
  });
  const message: LoadMessage = {
    type: "load",
    files,
    env: {},
    functionName: "greet",
    functionVersion: "7",
    memoryBytes: 128 * 1024 * 1024,
    ...options,
  };
  return { message, body: Buffer.concat(bodies) };
}

/** The error in a message that must hold one. */
export function errorOf(message: GuestMessage): { name: string; message: string; stack: string } {
  assert.ok(message.type === "error" || message.type === "load_error", JSON.stringify(message));
  return { ...message.error, stack: message.error.stack ?? "" };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
