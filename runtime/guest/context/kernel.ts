import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { z } from "zod";
import { untilAborted, within } from "../../deadline.ts";
import { isRunletError, messageOf, RunletError } from "../../errors.ts";
import type { Agent } from "../agent/agent.ts";
import type { AgentCall } from "../agent/agent-call.ts";
import { encodeFrame, FrameDecoder } from "../frame.ts";

export interface KernelOptions {
  language: KernelLanguage;
  env: Readonly<Record<string, string>>;
  cwd?: string | undefined;
  user?: string | undefined;
}

/** What contexts can be of. */
export type KernelLanguage = "python" | "javascript";

const programs = {
  python: { file: "kernel.py", args: ["python3", "-c"] },
  javascript: { file: "kernel.cjs", args: ["node", "-e"] },
} as const;
const sources = new Map<KernelLanguage, string>();

const startTimeoutMs = 30_000;
/** Bounds of what a kernel says; kernels know them. */
const limits = { maxFrameBytes: 4 * 1024 * 1024 + 1024, maxHeaderBytes: 4 * 1024 * 1024 };
const maxStartErrorBytes = 4096;
const maxTextChars = 64 * 1024;

const text = z.string().transform((all) => all.slice(0, maxTextChars));
const mimeType = z.string().regex(/^[a-z]+\/[\w.+-]{1,100}$/);
const started = z.object({ pid: z.int().positive() });
const ended = z.object({ code: z.int(), signal: z.int().nullable() });
const message = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({
    type: z.literal("result"),
    token: z.string(),
    data: z.record(mimeType, z.unknown()),
    isMain: z.boolean(),
    cut: z.array(mimeType).max(32),
  }),
  z.object({
    type: z.literal("error"),
    token: z.string(),
    name: text,
    message: text,
    traceback: text,
  }),
  z.object({ type: z.literal("begun"), token: z.string() }),
  z.object({ type: z.literal("done"), token: z.string() }),
]);
type Message = z.infer<typeof message>;

/** What comes of a cell while it runs, in the order in which it came. */
export type KernelEvent =
  | { readonly type: "output"; readonly stream: "stdout" | "stderr"; readonly body: Buffer }
  | Omit<Extract<Message, { type: "result" }>, "token">
  | Omit<Extract<Message, { type: "error" }>, "token">;

interface Cell {
  readonly token: string;
  readonly onEvent: (event: KernelEvent) => void;
  readonly begun: PromiseWithResolvers<void>;
  readonly done: PromiseWithResolvers<void>;
}

/**
 * A process of a sandbox that runs cells of code one after another and keeps what they leave behind. What it says is
 * told apart from what cells write; a word that it may not say ends it.
 */
export class Kernel {
  readonly #agent: Agent;
  readonly #call: AgentCall;
  readonly #decoder = new FrameDecoder(limits);
  readonly #started = Promise.withResolvers<number>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<RunletError>();
  #cell: Cell | undefined;
  #startErrors = Buffer.alloc(0);

  private constructor(agent: Agent, { language, env, cwd, user }: KernelOptions) {
    const { file, args } = programs[language];
    const source = sources.get(language) ?? readFileSync(new URL(file, import.meta.url), "utf8");
    sources.set(language, source);
    this.#agent = agent;
    this.#started.promise.catch(() => undefined);
    this.#ready.promise.catch(() => undefined);
    const options = { args: [...args, source], env, cwd, user };
    this.#call = agent.converse(options, {
      what: `start ${args[0]}`,
      onEvent: (event) => {
        const parsed = started.safeParse(event);
        if (parsed.success) this.#started.resolve(parsed.data.pid);
      },
      onData: (body, stream) => {
        this.#call.consumed(body.byteLength);
        this.#take(body, stream);
      },
    });
    this.#call.result.then(
      (result) => this.#end(endOf(ended.parse(result), this.#startErrors.toString())),
      (error: unknown) =>
        this.#end(isRunletError(error) ? error : new RunletError("internal", messageOf(error))),
    );
  }

  /** Starts a kernel; it is ready for a cell when this returns. @throws `not_found`, `unavailable`. */
  static async start(agent: Agent, options: KernelOptions, signal?: AbortSignal): Promise<Kernel> {
    const kernel = new Kernel(agent, options);
    try {
      await within(kernel.#ready.promise, "start the context", startTimeoutMs, signal);
      kernel.#startErrors = Buffer.alloc(0);
      return kernel;
    } catch (error) {
      kernel.end(new RunletError("cancelled", "The context was given up"));
      throw error;
    }
  }

  /** Settles with the reason when it has ended. */
  get ended(): Promise<RunletError> {
    return this.#ended.promise;
  }

  /** Runs a cell to its end; one at a time. @throws why the kernel has ended, if it does. */
  async run(code: string, count: number, onEvent: (event: KernelEvent) => void): Promise<void> {
    const begun = Promise.withResolvers<void>();
    const cell = { token: randomUUID(), onEvent, begun, done: Promise.withResolvers<void>() };
    this.#cell = cell;
    const [frame = Buffer.alloc(0), ...rest] = encodeFrame({ token: cell.token, code, count });
    void this.#call.write(Buffer.concat([frame, ...rest])).catch(() => undefined);
    const gone = this.#ended.promise.then((reason) => {
      throw reason;
    });
    gone.catch(() => undefined);
    try {
      await Promise.race([cell.done.promise, gone]);
    } finally {
      this.#cell = undefined;
    }
  }

  /** Interrupts what runs, and the processes that it has started; between cells it does nothing. */
  async interrupt(signal?: AbortSignal): Promise<void> {
    const cell = this.#cell;
    if (cell === undefined) return;
    // What comes before would be lost.
    await untilAborted(Promise.race([cell.begun.promise, this.#ended.promise]), signal);
    if (this.#cell !== cell) return;
    await this.#agent.signal(await this.#started.promise, constants.signals.SIGINT, signal);
  }

  /** Kills it, for a reason that whoever waits for it is told. */
  end(reason: RunletError): void {
    this.#call.cancel(reason);
  }

  #take(body: Buffer, stream: string | undefined): void {
    if (stream === "stdout" || stream === "stderr") {
      if (this.#startErrors.byteLength < maxStartErrorBytes && this.#cell === undefined) {
        this.#startErrors = Buffer.concat([
          this.#startErrors,
          body.subarray(0, maxStartErrorBytes),
        ]);
      }
      this.#cell?.onEvent({ type: "output", stream, body });
      return;
    }
    try {
      this.#decoder.push(body);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        const parsed = message.safeParse(frame.header);
        if (!parsed.success) throw garbled();
        this.#hear(parsed.data);
      }
    } catch (error) {
      this.end(
        isRunletError(error) ? garbled(error) : new RunletError("internal", messageOf(error)),
      );
    }
  }

  #hear(said: Message): void {
    if (said.type === "ready") return this.#ready.resolve();
    const cell = this.#cell;
    if (said.token !== cell?.token) throw garbled();
    const { token: _, ...event } = said;
    if (event.type === "begun") cell.begun.resolve();
    else if (event.type === "done") cell.done.resolve();
    else cell.onEvent(event);
  }

  #end(reason: RunletError): void {
    this.#started.reject(reason);
    this.#ready.reject(reason);
    this.#ended.resolve(reason);
  }
}

function endOf({ code, signal }: z.infer<typeof ended>, errors: string): RunletError {
  const how = signal === null ? `exited with code ${code}` : `was killed by signal ${signal}`;
  const last = errors.trim().split("\n").at(-1);
  return new RunletError("unavailable", `The context's process ${how}${last ? `: ${last}` : ""}`);
}

function garbled(cause?: unknown): RunletError {
  const fact = "Something of the sandbox wrote to the context's messages what is none";
  return new RunletError("protocol_violation", fact, { cause });
}
