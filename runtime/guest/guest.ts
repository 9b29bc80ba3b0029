import { untilAborted, within } from "../deadline.ts";
import { RunletError } from "../errors.ts";
import { type ContainerLimits, containerSpec } from "../container/container-spec.ts";
import type { Exit } from "../container/exit.ts";
import { Freezer } from "../container/freezer.ts";
import type { Init } from "../container/init.ts";
import type { Capture } from "../container/stdio/capture.ts";
import type { Mask } from "../container/stdio/mask.ts";
import { MaskedSink } from "../container/stdio/masked-sink.ts";
import type { Image } from "../image/image.ts";
import type { Machine } from "../machine.ts";
import { Channel, type Received } from "./channel.ts";
import { GuestFeed, type GuestFeedOptions } from "./guest-feed.ts";
import { GuestStream } from "./guest-stream.ts";
import type { HostMessage, InvokeRequest, TaskEntry } from "./messages.ts";
import { type GuestRuntime, runnerArgs } from "./program.ts";
import { type Reply, unexpected } from "./reply.ts";

export interface GuestOptions {
  runtime: GuestRuntime;
  image: Image;
  /** Size of /tmp. */
  tmpBytes: number;
  /** Processes and threads, the runner's own among them; unlike other limits it is of the start. */
  pids: number;
}

/** What a container in stock may use: what a function gets that asks for nothing else, so that it fits most. */
export const stockLimits = { memoryBytes: 256 * 1024 * 1024, cpus: 1 } as const;

/** Node compiles what it has seen a few times: with 20 rounds the first event takes a third less. */
const warmRounds: Readonly<Record<GuestRuntime, number>> = { node: 20, python: 1, provided: 1 };

/** A function's code as a guest is given it. */
export interface GuestTask {
  files: readonly TaskEntry[];
  /** The files' bytes, one after the other. */
  body: Uint8Array;
  handler?: string | undefined;
  command?: readonly string[] | undefined;
  env: Readonly<Record<string, string>>;
  /** What must not be seen of what the code writes, and of the errors that it throws. */
  mask?: Mask | undefined;
  functionName: string;
  functionVersion: string;
  memoryBytes: number;
}

export interface GuestEvent {
  id: string;
  /** W3C trace context of what the invocation calls. */
  traceparent?: string;
  contentType?: string | undefined;
  /** The HTTP request that the event is the body of, where it is. */
  request?: InvokeRequest | undefined;
  deadlineAtMs: number;
  /** Empty where there is a feed. */
  body: Uint8Array;
  /** What gives the guest the event while it still arrives; only for a guest that runs node functions. */
  feed?: GuestFeed | undefined;
}

/** What a handler says of its answer before the answer itself. */
export interface GuestAnswerHead {
  readonly contentType: string;
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
}

/** A handler's answer that came at once. */
export interface GuestAnswer extends GuestAnswerHead {
  readonly body: Buffer;
}

/** A handler's answer that is still being written. */
export interface GuestStreamedAnswer extends GuestAnswerHead {
  readonly stream: GuestStream;
}

/**
 * A container with a function runner as its first process. Ask one thing at a time. Its end is a reply like
 * any other; only a guest that breaks the protocol, and a container that cannot be made, are thrown.
 */
export class Guest implements AsyncDisposable {
  readonly init: Init;
  readonly #channel: Channel;
  readonly #runtime: GuestRuntime;
  readonly #hello: Promise<Received | undefined>;
  readonly #freezer: Freezer;
  #turn: Promise<void> = Promise.resolve();
  #isReady = false;
  #mask: Mask | undefined;
  #captures: readonly [stdout: Capture, stderr: Capture] | undefined;
  #masked: readonly MaskedSink[] = [];

  private constructor(init: Init, channel: Channel, runtime: GuestRuntime) {
    this.init = init;
    this.#freezer = new Freezer(init);
    this.#runtime = runtime;
    this.#channel = channel;
    this.#hello = this.#readHello();
    this.#hello.catch(() => undefined);
  }

  /** Whether the runner has come up: from then on it answers in its own time, not in a container start's. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /**
   * Whether the container still runs, as far as the host has heard, and is to go on: a caller may go away just
   * as the answer comes, and the next one must not be given what is being killed.
   */
  get isAlive(): boolean {
    return this.init.exit === undefined && !this.init.isCondemned && !this.#channel.isClosed;
  }

  /** Whether it may be given an event after it has answered one: it lives, and has not said more than its answer. */
  get isFit(): boolean {
    return this.isAlive && this.#channel.isQuiet;
  }

  /** Starts the container. The runner may still be coming up when this returns; what it is sent waits for it. */
  static async start(machine: Machine, options: GuestOptions): Promise<Guest> {
    const { runtime, image, tmpBytes, pids } = options;
    await using stack = new AsyncDisposableStack();
    const spec = containerSpec({ image, tmpBytes, pids, args: runnerArgs(runtime) });
    const init = stack.use(
      machine.container(spec, {
        stdio: { kind: "pipe", stdout: true, stderr: true },
        channel: true,
        limits: { memoryBytes: stockLimits.memoryBytes, pids },
      }),
    );
    await init.create();
    await init.start();
    if (init.channel === undefined) throw new Error("A started guest has no channel");
    const guest = new Guest(init, new Channel(init.channel), runtime);
    stack.move();
    return guest;
  }

  /**
   * Waits until the runner has come up.
   * @throws `unavailable` if the container ended first, `protocol_violation`, the signal's reason.
   */
  async ready(signal?: AbortSignal): Promise<void> {
    const hello = await untilAborted(this.#hello, signal);
    if (hello !== undefined) return;
    const exit = await this.init.wait(signal);
    throw new RunletError(
      "unavailable",
      `Cannot use container ${this.init.id}: its runner ended with ${exit.message ?? `code ${exit.code}`}`,
    );
  }

  freeze(): void {
    if (this.isAlive) this.#freezer.freeze();
  }

  thaw(): void {
    this.#freezer.thaw();
  }

  /**
   * Sets what the container may use from now on: what its taker's function may.
   * @throws `unavailable` if the system refuses, as it does for less memory than is in use.
   */
  limit({ memoryBytes, cpus }: Pick<ContainerLimits, "memoryBytes" | "cpus">): void {
    this.init.limit({ memoryBytes, cpus });
  }

  /** Sends what the container writes from now on to these two, which are whole after {@link endCapture}. */
  capture(stdout: Capture, stderr: Capture): void {
    this.#captures = [stdout, stderr];
    if (this.#mask !== undefined) return this.#captureMasked(this.#mask, stdout, stderr);
    this.init.stdout?.attach((chunk) => stdout.write(chunk));
    this.init.stderr?.attach((chunk) => stderr.write(chunk));
  }

  /** Captures, too, what a mask has held back because more might have come. */
  endCapture(): void {
    for (const sink of this.#masked) sink.flush();
  }

  /** Has the runner go through a load and calls of its own, so that the first real ones are quick. */
  async warmUp(): Promise<void> {
    for (let left = warmRounds[this.#runtime]; left > 0; left--) await this.#warmUpOnce();
  }

  async #warmUpOnce(): Promise<void> {
    const reply = await this.#ask({ type: "warm" }, new Uint8Array(), ({ message }) =>
      message.type === "warmed" ? { kind: "answered", answer: undefined } : undefined,
    );
    if (reply.kind === "answered") return;
    throw new RunletError(
      "unavailable",
      `Cannot use container ${this.init.id}: it ended while warming up`,
    );
  }

  /** Gives the runner its code and waits until it is loaded. */
  async load({ body, mask, ...task }: GuestTask): Promise<Reply<{ loadUs: number }>> {
    if (mask !== undefined) this.#hide(mask);
    const { handler, command, ...rest } = task;
    const message = {
      type: "load",
      ...rest,
      ...(handler !== undefined && { handler }),
      ...(command !== undefined && { command }),
    } as const;
    return await this.#ask(message, body, (reply) => {
      if (reply.message.type === "loaded") {
        return { kind: "answered", answer: { loadUs: reply.message.loadUs } };
      }
      return reply.message.type === "load_error"
        ? { kind: "threw", error: reply.message.error }
        : undefined;
    });
  }

  /** A way to give the guest the event of an invocation while it still arrives. */
  feed(id: string, options: GuestFeedOptions): GuestFeed {
    return new GuestFeed(this.#channel, id, options);
  }

  /**
   * Calls the handler and waits for what it comes to, or for the beginning of that: a stream is to be read to its
   * end before the guest is asked for anything else. Its output up to then has been captured.
   */
  async invoke({
    body,
    contentType,
    request,
    feed,
    ...event
  }: GuestEvent): Promise<Reply<GuestAnswer | GuestStreamedAnswer>> {
    const message = {
      type: "invoke",
      ...event,
      ...(contentType !== undefined && { contentType }),
      ...(request !== undefined && { request }),
      ...(feed !== undefined && { streamed: true as const }),
    } as const;
    return await this.#ask(
      message,
      body,
      (reply) => this.#invocationReply(reply, event.id, feed),
      feed,
    );
  }

  /**
   * Lets the runner exit by itself, which it does when the channel closes, and removes the container.
   * A runner that does not within `graceMs` is killed.
   */
  async finish(graceMs = 1000): Promise<Exit> {
    this.thaw();
    this.#channel.close();
    try {
      await within(this.init.wait(), "wait for the runner to exit", graceMs);
    } catch {
      await this.init.terminate("failed");
    }
    const exit = await this.init.wait();
    await this.init.delete();
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel.close();
    await this.init[Symbol.asyncDispose]();
  }

  /** Before the code is there, nothing of what is written can be a value of its own. */
  #hide(mask: Mask): void {
    this.#mask = mask;
    this.#channel.hide(mask);
    if (this.#captures !== undefined) this.capture(...this.#captures);
  }

  #captureMasked(mask: Mask, stdout: Capture, stderr: Capture): void {
    const [out, err] = [new MaskedSink(mask, stdout), new MaskedSink(mask, stderr)];
    this.#masked = [out, err];
    this.init.stdout?.attach((chunk) => out.write(chunk));
    this.init.stderr?.attach((chunk) => err.write(chunk));
  }

  /** Sends at once, and reads when those who asked before have their answers: questions may be pipelined. */
  async #ask<T>(
    message: HostMessage,
    body: Uint8Array,
    read: (received: Received) => Reply<T> | undefined,
    feed?: GuestFeed,
  ): Promise<Reply<T>> {
    this.thaw();
    const sent = this.#channel.send(message, body);
    const reply = this.#turn.then(async () => await this.#receive(message, read, feed));
    this.#turn = reply.then(ignore, ignore);
    try {
      await sent;
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    return await reply;
  }

  async #receive<T>(
    message: HostMessage,
    read: (received: Received) => Reply<T> | undefined,
    feed: GuestFeed | undefined,
  ): Promise<Reply<T>> {
    if (!this.#isReady) await this.#hello;
    let received = await this.#channel.next();
    while (received && feed?.take(received.message)) received = await this.#channel.next();
    if (received === undefined) return { kind: "ended", exit: await this.init.wait() };
    const reply = read(received);
    if (reply === undefined) throw unexpected(message.type, received.message);
    this.init.stdout?.drain();
    this.init.stderr?.drain();
    return reply;
  }

  #invocationReply(
    { message, body }: Received,
    id: string,
    feed: GuestFeed | undefined,
  ): Reply<GuestAnswer | GuestStreamedAnswer> | undefined {
    if (!("id" in message) || message.id !== id) return undefined;
    if (message.type === "error") return { kind: "threw", error: message.error };
    if (message.type !== "result" && message.type !== "start") return undefined;
    const { contentType, status = 200, headers = [] } = message;
    if (message.type === "result") {
      return { kind: "answered", answer: { contentType, status, headers, body } };
    }
    const stream = new GuestStream(this.init, this.#channel, id, feed);
    return { kind: "answered", answer: { contentType, status, headers, stream } };
  }

  async #readHello(): Promise<Received | undefined> {
    const first = await this.#channel.next();
    if (first !== undefined && first.message.type !== "hello")
      throw unexpected("start", first.message);
    this.#isReady = first !== undefined;
    return first;
  }
}

function ignore(): void {}

function isGone(error: unknown): boolean {
  return error instanceof RunletError && error.code === "unavailable";
}
