import type { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { isRunletError } from "../../errors.ts";
import { defaultFrameLimits, encodeFrame, type Frame, FrameDecoder } from "../frame.ts";
import {
  defaultTaskRoot,
  type GuestMessage,
  type HostMessage,
  type InvokeMessage,
  type LoadMessage,
  maxGuestHeaderBytes,
  protocolVersion,
  type WarmMessage,
} from "../messages.ts";
import { callHandler, type Task } from "./call.ts";
import { describeLoadError, describeThrown } from "./failure.ts";
import { loadHandler } from "./handler.ts";
import { hideEvalGlobals, ownStdio } from "./process.ts";
import { writeTask } from "./task.ts";
import { Practice } from "./warm.ts";

const channelDescriptor = 3;
const unparsableExitCode = 70;

/** A death notice must fit into the socket in one go, since nothing runs after it. */
const maxLastWordsLength = 16 * 1024;

// User code may replace these.
const exit = process.exit.bind(process);
const now = performance.now.bind(performance);
const limits = { ...defaultFrameLimits, maxHeaderBytes: maxGuestHeaderBytes };

/** Speaks the guest's side of the channel on descriptor 3 until the host closes it. */
export function startRunner(): void {
  ownStdio();
  // Node sets one of them again when the script that is running now ends.
  queueMicrotask(hideEvalGlobals);
  const socket = new Socket({ fd: channelDescriptor });
  const practice = new Practice(() => new Runner(() => undefined));
  const runner = new Runner((chunk) => void socket.write(chunk), practice);
  socket.on("data", (chunk) => void runner.receive(chunk));
  for (const end of ["end", "error", "close"]) socket.on(end, () => exit(0));
  process.on("uncaughtExceptionMonitor", (error) => runner.lastWords(error));
  runner.sayHello();
}

class Runner {
  readonly #write: (chunk: Uint8Array) => void;
  readonly #decoder = new FrameDecoder();
  readonly #practice: Practice | undefined;
  readonly #frames: Frame[] = [];
  #isWorking = false;
  #isLoaded = false;
  /** Absent before `load` and after a `load` that failed. */
  #task: Task | undefined;
  /** The invocation whose handler runs. */
  #running: string | undefined;

  constructor(write: (chunk: Uint8Array) => void, practice?: Practice) {
    this.#write = write;
    this.#practice = practice;
  }

  sayHello(): void {
    this.#send({
      type: "hello",
      protocol: protocolVersion,
      runtime: "node",
      runtimeVersion: process.versions.node,
    });
  }

  /** Settles when what has arrived is worked off. */
  async receive(chunk: Uint8Array): Promise<void> {
    try {
      this.#decoder.push(chunk);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        this.#frames.push(frame);
      }
    } catch (error) {
      giveUp((error as Error).message);
    }
    await this.#work();
  }

  /** Tells the host about an error that ends the process while a handler runs. */
  lastWords(error: unknown): void {
    if (this.#running === undefined || process.listenerCount("uncaughtException") > 0) return;
    this.#sendError(this.#running, describeThrown(error, maxLastWordsLength));
  }

  /** Frames are worked off one after the other, so that `invoke` may follow `load` at once. */
  async #work(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    for (let frame = this.#frames.shift(); frame !== undefined; frame = this.#frames.shift()) {
      await this.#handle(frame);
    }
    this.#isWorking = false;
  }

  async #handle(frame: Frame): Promise<void> {
    const message = asHostMessage(frame.header);
    const isTimely = this.#isLoaded === (message?.type === "invoke");
    if (message === undefined || !isTimely) {
      return giveUp(`unexpected message ${String(frame.header["type"])}`);
    }
    if (message.type === "warm") return await this.#warm();
    if (message.type === "load") return await this.#load(message, frame);
    if (this.#task !== undefined) await this.#invoke(this.#task, message, frame.body);
  }

  async #warm(): Promise<void> {
    await this.#practice?.round();
    this.#send({ type: "warmed" });
  }

  async #load(load: LoadMessage, { body }: Frame): Promise<void> {
    const startedAt = now();
    this.#isLoaded = true;
    const root = load.root ?? defaultTaskRoot;
    try {
      writeTask(root, load.files, body);
      Object.assign(process.env, load.env);
      process.chdir(root);
      this.#task = { load, handler: await loadHandler(root, load.files, load.handler) };
    } catch (thrown) {
      this.#send({ type: "load_error", error: describeLoadError(thrown, root, load.files) });
      return;
    }
    this.#send({ type: "loaded", loadUs: Math.round((now() - startedAt) * 1000) });
  }

  async #invoke(task: Task, invoke: InvokeMessage, event: Buffer): Promise<void> {
    const { id } = invoke;
    this.#running = id;
    try {
      const { body, ...about } = await callHandler(task, invoke, event);
      this.#send({ type: "result", id, ...about }, body);
    } catch (thrown) {
      const error = describeThrown(thrown);
      const isTooLarge = isRunletError(thrown, "payload_too_large");
      this.#sendError(id, isTooLarge ? { ...error, name: "AnswerTooLarge" } : error);
    } finally {
      this.#running = undefined;
    }
  }

  #sendError(id: string, error: ReturnType<typeof describeThrown>): void {
    this.#send({ type: "error", id, error });
  }

  #send(message: GuestMessage, body?: Uint8Array): void {
    for (const chunk of encodeFrame(message, body, limits)) this.#write(chunk);
  }
}

function asHostMessage(header: Frame["header"]): HostMessage | undefined {
  const isLoad = Array.isArray(header["files"]) && typeof header["env"] === "object";
  if (header["type"] === "load" && isLoad) return header as unknown as LoadMessage;
  if (header["type"] === "warm") return header as unknown as WarmMessage;
  const isInvoke = typeof header["id"] === "string" && typeof header["deadlineAtMs"] === "number";
  if (header["type"] === "invoke" && isInvoke) return header as unknown as InvokeMessage;
  return undefined;
}

function giveUp(fact: string): never {
  console.error(`runlet: ${fact}`);
  return exit(unparsableExitCode);
}
