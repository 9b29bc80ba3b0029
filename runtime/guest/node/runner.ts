import type { Buffer } from "node:buffer";
import { isRunletError } from "../../errors.ts";
import { defaultFrameLimits, encodeFrame, type Frame, FrameDecoder } from "../frame.ts";
import {
  type BreakMessage,
  type ChunkMessage,
  type CreditMessage,
  defaultTaskRoot,
  type EndMessage,
  type GuestMessage,
  type HostMessage,
  type InvokeMessage,
  type LoadMessage,
  maxGuestHeaderBytes,
  protocolVersion,
  type WarmMessage,
} from "../messages.ts";
import type { GuestRuntime } from "../program.ts";
import type { Answer, StreamedAnswer } from "./answer.ts";
import { describeLoadError, describeThrown } from "./failure.ts";
import { Inflow } from "./inflow.ts";
import { Outflow } from "./outflow.ts";
import { writeTask } from "./task.ts";

const unparsableExitCode = 70;

/** A death notice must fit into the socket in one go, since nothing runs after it. */
const maxLastWordsLength = 16 * 1024;

// User code may replace these.
const exit = process.exit.bind(process);
const now = performance.now.bind(performance);
const limits = { ...defaultFrameLimits, maxHeaderBytes: maxGuestHeaderBytes };

/** The way to the host. */
export interface HostLine {
  write(chunk: Uint8Array): void;
  /** Has what the host sends received while an invocation runs, which may be sent more. */
  listen(): void;
}

/** What a runner does with what the host asks of it; code that a guest may not load or that fails throws. */
export interface Work {
  readonly runtime: GuestRuntime;
  warm(): Promise<void>;
  /** Makes the code that stands in `root` ready for its first event. */
  load(load: LoadMessage, root: string): Promise<void>;
  /** `inflow` brings the event where it has not arrived yet: the host asks that of node functions only. */
  invoke(
    invoke: InvokeMessage,
    event: Buffer,
    inflow: Inflow | undefined,
  ): Promise<Answer | StreamedAnswer>;
}

/** What goes to the invocation that runs, past the frames that wait for its end. */
type StreamMessage = CreditMessage | ChunkMessage | EndMessage | BreakMessage;

/** The guest's side of the protocol, whatever the code is written in. */
export class Runner {
  readonly #line: HostLine;
  readonly #decoder = new FrameDecoder();
  readonly #work: Work;
  readonly #frames: Frame[] = [];
  #isWorking = false;
  /** A `load` has come. */
  #isGiven = false;
  /** A `load` has come and not failed. */
  #isLoaded = false;
  /** The invocation whose handler runs. */
  #running: string | undefined;
  /** The way out of its answer, where that is a stream. */
  #outflow: Outflow | undefined;
  /** The way in of its event, where that is a stream. */
  #inflow: Inflow | undefined;

  constructor(line: HostLine, work: Work) {
    this.#line = line;
    this.#work = work;
  }

  /** Whether nothing is worked on and nothing waits for it. */
  get isIdle(): boolean {
    return !this.#isWorking;
  }

  /** Begins: tells the host who this is, and also tells it of an error that ends the process. */
  open(): void {
    process.on("uncaughtExceptionMonitor", (error) => this.#lastWords(error));
    this.#send({
      type: "hello",
      protocol: protocolVersion,
      runtime: this.#work.runtime,
      runtimeVersion: process.versions.node,
    });
  }

  /** Settles when what has arrived is worked off. */
  async receive(chunk: Uint8Array): Promise<void> {
    try {
      this.#decoder.push(chunk);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        if (!this.#isOfStream(frame)) this.#frames.push(frame);
      }
    } catch (error) {
      giveUp((error as Error).message);
    }
    await this.#workOff();
  }

  /** It is for the invocation that runs, which the frames behind it wait for; it may cross the answer's end. */
  #isOfStream({ header, body }: Frame): boolean {
    const message = this.#isLoaded ? asStreamMessage(header) : undefined;
    if (message === undefined || message.id !== this.#running) return message !== undefined;
    if (message.type === "credit") this.#outflow?.grant(message.bytes);
    else if (message.type === "chunk") this.#inflow?.take(body);
    else if (message.type === "end") this.#inflow?.end();
    else this.#inflow?.break();
    return true;
  }

  /** Tells the host about an error that ends the process while a handler runs. */
  #lastWords(error: unknown): void {
    if (this.#running === undefined || process.listenerCount("uncaughtException") > 0) return;
    this.#sendError(this.#running, describeThrown(error, maxLastWordsLength));
  }

  /** Frames are worked off one after the other, so that `invoke` may follow `load` at once. */
  async #workOff(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    for (let frame = this.#frames.shift(); frame !== undefined; frame = this.#frames.shift()) {
      await this.#handle(frame);
    }
    this.#isWorking = false;
  }

  async #handle(frame: Frame): Promise<void> {
    const message = asHostMessage(frame.header);
    const isTimely = this.#isGiven === (message?.type === "invoke");
    if (message === undefined || !isTimely) {
      return giveUp(`unexpected message ${String(frame.header["type"])}`);
    }
    if (message.type === "warm") return await this.#warm();
    if (message.type === "load") return await this.#load(message, frame);
    if (this.#isLoaded) await this.#invoke(message, frame.body);
  }

  async #warm(): Promise<void> {
    await this.#work.warm();
    this.#send({ type: "warmed" });
  }

  async #load(load: LoadMessage, { body }: Frame): Promise<void> {
    const startedAt = now();
    this.#isGiven = true;
    const root = load.root ?? defaultTaskRoot;
    try {
      writeTask(root, load.files, body);
      process.chdir(root);
      await this.#work.load(load, root);
      this.#isLoaded = true;
    } catch (thrown) {
      this.#send({ type: "load_error", error: describeLoadError(thrown, root, load.files) });
      return;
    }
    this.#send({ type: "loaded", loadUs: Math.round((now() - startedAt) * 1000) });
  }

  async #invoke(invoke: InvokeMessage, event: Buffer): Promise<void> {
    const { id } = invoke;
    this.#running = id;
    if (invoke.streamed) {
      this.#inflow = new Inflow((asked) => this.#send({ id, ...asked }));
      this.#line.listen();
    }
    try {
      const answer = await this.#work.invoke(invoke, event, this.#inflow);
      if ("chunks" in answer) return await this.#stream(id, answer);
      const { body, ...about } = answer;
      this.#sendLast({ type: "result", id, ...about }, body);
    } catch (thrown) {
      const error = describeThrown(thrown);
      const isTooLarge = isRunletError(thrown, "payload_too_large");
      this.#sendError(id, isTooLarge ? { ...error, name: "AnswerTooLarge" } : error);
    } finally {
      this.#running = undefined;
      this.#outflow = undefined;
      this.#inflow = undefined;
    }
  }

  async #stream(id: string, { chunks, ...about }: StreamedAnswer): Promise<void> {
    const outflow = new Outflow((piece) => this.#send({ type: "chunk", id }, piece));
    this.#outflow = outflow;
    this.#line.listen();
    this.#send({ type: "start", id, ...about });
    for await (const bytes of chunks) await outflow.write(bytes);
    this.#sendLast({ type: "end", id });
  }

  #sendError(id: string, error: ReturnType<typeof describeThrown>): void {
    this.#sendLast({ type: "error", id, error });
  }

  /** After this the host takes nothing more that is of the invocation. */
  #sendLast(message: GuestMessage, body?: Uint8Array): void {
    this.#inflow?.close();
    this.#send(message, body);
  }

  #send(message: GuestMessage, body?: Uint8Array): void {
    for (const chunk of encodeFrame(message, body, limits)) this.#line.write(chunk);
  }
}

function asHostMessage(header: Frame["header"]): Exclude<HostMessage, StreamMessage> | undefined {
  const isLoad = Array.isArray(header["files"]) && typeof header["env"] === "object";
  if (header["type"] === "load" && isLoad) return header as unknown as LoadMessage;
  if (header["type"] === "warm") return header as unknown as WarmMessage;
  const isInvoke = typeof header["id"] === "string" && typeof header["deadlineAtMs"] === "number";
  if (header["type"] === "invoke" && isInvoke) return header as unknown as InvokeMessage;
  return undefined;
}

function asStreamMessage(header: Frame["header"]): StreamMessage | undefined {
  const { type, id, bytes } = header;
  if (typeof id !== "string") return undefined;
  if (type === "chunk" || type === "end" || type === "break") return { type, id };
  return type === "credit" && typeof bytes === "number" ? { type, id, bytes } : undefined;
}

function giveUp(fact: string): never {
  console.error(`runlet: ${fact}`);
  return exit(unparsableExitCode);
}
