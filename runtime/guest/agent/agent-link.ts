import type { Duplex } from "node:stream";
import { z } from "zod";
import { untilAborted } from "../../deadline.ts";
import { isRunletError, RunletError } from "../../errors.ts";
import { notePassed } from "../../passed-bytes.ts";
import { encodeFrame, FrameDecoder } from "../frame.ts";
import { writeTogether } from "../write-together.ts";
import { AgentCall, type CallHandlers } from "./agent-call.ts";

/** Bounds of what an agent says; a listing of a large directory is the largest of it. */
const guestLimits = { maxFrameBytes: 8 * 1024 * 1024, maxHeaderBytes: 8 * 1024 * 1024 };
/** Bounds of what it is told. */
const hostLimits = { maxFrameBytes: 1024 * 1024, maxHeaderBytes: 256 * 1024 };

const protocol = 1;
const id = z.int().positive();
const message = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), protocol: z.literal(protocol) }),
  z.object({ type: z.literal("event"), id, event: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.literal("data"), id, stream: z.string().optional() }),
  z.object({ type: z.literal("credit"), id, bytes: z.int().positive() }),
  z.object({ type: z.literal("reply"), id, result: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.literal("fail"), id, code: z.string(), message: z.string() }),
]);

/**
 * The host's side of the link to a sandbox's agent: any number of calls at once, each with a stream in either
 * direction that is bounded by itself. Nothing of the agent is trusted: the first thing that it may not say
 * destroys the link, and with it every call. Closing twice is harmless.
 */
export class AgentLink implements Disposable {
  /** Settles with the agent's first word, or with undefined if it ends before. */
  readonly hello: Promise<true | undefined>;
  readonly #socket: Duplex;
  readonly #onCall: () => void;
  readonly #decoder = new FrameDecoder(guestLimits);
  readonly #calls = new Map<number, AgentCall>();
  readonly #hello = Promise.withResolvers<true | undefined>();
  #drained: PromiseWithResolvers<void> | undefined;
  /** What waits for the end of a standstill. */
  #held: Uint8Array[] | undefined;
  #isCorked = false;
  #lastId = 0;
  #failure: RunletError | undefined;
  #isOver = false;

  /** `onCall` is told of each call before the agent is. */
  constructor(socket: Duplex, onCall: () => void = () => undefined) {
    this.#socket = socket;
    this.#onCall = onCall;
    this.hello = this.#hello.promise;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#settleDrained());
    socket.on("error", () => this.close());
    socket.once("end", () => this.close());
    socket.once("close", () => this.close());
    if (socket.destroyed) this.close();
  }

  get isClosed(): boolean {
    return this.#isOver;
  }

  /** How many calls there have been. */
  get callCount(): number {
    return this.#lastId;
  }

  /** Calls that have no answer yet. */
  get openCalls(): number {
    return this.#calls.size;
  }

  /**
   * Asks the agent for something; what comes of it is told by the call.
   * @throws `unavailable` if the sandbox has ended.
   */
  open(op: string, args: object, handlers: CallHandlers): AgentCall {
    if (this.#isOver) throw this.#gone();
    this.#onCall();
    const call = new AgentCall(++this.#lastId, handlers, {
      send: (header, body) => this.#send(header, body),
      drained: async () => await this.#drained?.promise,
      forget: (gone) => this.#calls.delete(gone.id),
    });
    this.#calls.set(call.id, call);
    this.#send({ type: "call", id: call.id, op, args });
    return call;
  }

  /**
   * Brings the link to a standstill, in which nothing is on the way in either direction; disposing the answer
   * lets both sides go on. One at a time.
   * @throws `unavailable` if the sandbox has ended, the signal's reason.
   */
  async quiet(signal?: AbortSignal): Promise<Disposable> {
    const asked = this.open("quiet", {}, { what: "bring the sandbox to rest" });
    this.#held = [];
    try {
      await untilAborted(asked.result, signal);
      return { [Symbol.dispose]: () => this.#goOn() };
    } catch (error) {
      this.#goOn();
      throw error;
    }
  }

  /** Ends the link at once, which ends the sandbox; every call that is open fails. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#hello.resolve(undefined);
    for (const call of this.#calls.values()) call.lose(this.#gone());
    this.#calls.clear();
    this.#settleDrained();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #send(header: object, body?: Uint8Array): void {
    if (this.#isOver) return;
    this.#write(encodeFrame(header, body, hostLimits));
  }

  /** What is said in one go is written in one system call, and wakes the agent once. */
  #write(chunks: readonly Uint8Array[]): void {
    if (this.#held !== undefined) {
      this.#held.push(...chunks);
      this.#drained ??= Promise.withResolvers<void>();
      return;
    }
    this.#cork();
    if (!writeTogether(this.#socket, chunks)) this.#drained ??= Promise.withResolvers<void>();
  }

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.#socket.uncork();
    });
  }

  #goOn(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    if (this.#isOver) return;
    this.open("go", {}, { what: "let the sandbox go on" });
    this.#write(held);
    if (!this.#socket.writableNeedDrain) this.#settleDrained();
  }

  #receive(chunk: Buffer): void {
    if (this.#isOver) return;
    notePassed(chunk.byteLength);
    try {
      this.#decoder.push(chunk);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        this.#take(frame.header, frame.body);
      }
    } catch (error) {
      if (!isRunletError(error)) throw error;
      this.#failure = error;
      this.close();
    }
  }

  #take(header: Readonly<Record<string, unknown>>, body: Buffer): void {
    const parsed = message.safeParse(header);
    if (!parsed.success) throw breach(`a message is none: ${z.prettifyError(parsed.error)}`);
    const { data: said } = parsed;
    if (said.type === "hello") {
      this.#hello.resolve(true);
      return;
    }
    const call = this.#calls.get(said.id);
    if (call === undefined) {
      // It crossed the end that the host had made of the call.
      if (said.id <= this.#lastId) return;
      throw breach(`there is no call ${said.id}`);
    }
    if (!call.take(said, body)) throw breach(`call ${said.id} was sent more than it had asked for`);
  }

  #settleDrained(): void {
    if (this.#held !== undefined && !this.#isOver) return;
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.resolve();
  }

  #gone(): RunletError {
    return this.#failure ?? new RunletError("unavailable", "The sandbox has ended");
  }
}

function breach(fact: string): RunletError {
  return new RunletError("protocol_violation", `Cannot go on with the sandbox's agent: ${fact}`);
}
