import { endInTime } from "../../runtime/container/program.ts";
import type { Exit } from "../../runtime/container/exit.ts";
import {
  type Capture,
  captureBoth,
  type OutputListener,
} from "../../runtime/container/stdio/capture.ts";
import type {
  Guest,
  GuestAnswer,
  GuestAnswerHead,
  GuestEvent,
  GuestStreamedAnswer,
  GuestTask,
} from "../../runtime/guest/guest.ts";
import type { Reply } from "../../runtime/guest/reply.ts";
import type { Pool, PoolClass, PoolTaken } from "../../runtime/pool/pool.ts";
import { AnswerStream } from "./answer-stream.ts";
import { BodyFeed } from "./body-feed.ts";
import type { BodyStream } from "./body-stream.ts";
import { isRunletError, RunletError } from "./errors.ts";
import { failureOfExit, type OnContainer, type Outcome } from "./outcome.ts";
import type { StoredVersion } from "./ports.ts";

/** How long a function may take to load; what runs at import is bounded by it. */
export const loadTimeoutMs = 10_000;

/** How many containers an invocation may be given because one had died before it ran anything. */
const maxContainers = 3;

/** The largest answer that is collected: what fits into one frame, as an answer that is not streamed has to. */
const maxCollectedBytes = 64 * 1024 * 1024;

export interface HandlerRunOptions {
  pool: Pool;
  poolClass: PoolClass;
  version: StoredVersion;
  /** The version's code as a guest is given it; asked for where a container has it not yet. */
  task: () => Promise<GuestTask>;
  /** Loads the version into a container ahead of its next call. */
  load: (guest: Guest) => Promise<void>;
  onOutput?: OutputListener | undefined;
  onContainer: OnContainer;
  /** Bound of an answer that is streamed, in bytes. */
  maxStreamBytes: number;
  /** What a body that still arrives is given to the guest by. */
  body?: StreamedBody | undefined;
  /**
   * Told of a streamed answer as soon as it begins; its end is for who was told to let through. Without it, a
   * streamed answer is an answer as any other once it is whole.
   */
  onStream?: ((begun: BegunAnswer) => void) | undefined;
  signal: AbortSignal;
}

/** The body of a request that still arrives. */
export interface StreamedBody {
  readonly stream: BodyStream;
  /** Bound of what a handler wants as a whole, in bytes. */
  readonly maxWholeBytes: number;
  /** Told that the handler does. */
  readonly onWhole: () => void;
}

/** An answer that is still being written. */
export interface BegunAnswer extends GuestAnswerHead {
  readonly start: PoolTaken["start"];
  readonly takeUs: number;
  readonly initUs: number | undefined;
  readonly stream: AnswerStream;
}

export type HandlerEvent = Omit<GuestEvent, "deadlineAtMs" | "feed">;

export interface HandlerOutcome extends Outcome {
  readonly answer?: GuestAnswer;
  /** Whether only the beginning of the answer was kept. */
  readonly isAnswerCut?: boolean;
}

/** A reply that is no answer. */
export type Unanswered = Exclude<Reply<unknown>, { kind: "answered" }>;

/** Names a version among the containers that are warm for it. */
export function versionKey(version: Pick<StoredVersion, "name" | "version">): string {
  return `${version.name}:${version.version}`;
}

/** Calls a handler once in a container of the pool. The outcome is there before the container's end. */
export async function runHandler(
  options: HandlerRunOptions,
  event: HandlerEvent,
): Promise<HandlerOutcome> {
  const { pool, poolClass, version, signal } = options;
  const key = versionKey(version);
  const load = version.config.isolation === "fresh" ? options.load : undefined;
  let lastWords: string | undefined;
  for (let left = maxContainers; left > 0; left--) {
    const takeStart = performance.now();
    const taken = await pool.take({ class: poolClass, key, load, signal });
    const takeUs = elapsedUs(takeStart);
    options.onContainer({ containerId: taken.guest.init.id, start: taken.start, takeUs });
    const run = new HandlerRun(options, { event, taken, takeUs });
    const outcome = await run.call();
    if (outcome !== undefined) return outcome;
    lastWords = run.lastWords;
  }
  const why = `${maxContainers} containers in a row died before they ran the function`;
  const said = lastWords === undefined ? "" : `. The last one: ${lastWords}`;
  return { failure: new RunletError("runtime_failed", `Cannot run the function: ${why}${said}`) };
}

/** What a container was taken for, and how long that took. */
interface Part {
  readonly event: HandlerEvent;
  readonly taken: PoolTaken;
  readonly takeUs: number;
}

/** One container's part in an invocation. */
class HandlerRun {
  readonly #options: HandlerRunOptions;
  readonly #event: HandlerEvent;
  readonly #taken: PoolTaken;
  readonly #body: BodyFeed | undefined;
  /** Ends the container. */
  readonly #signal: AbortSignal;
  readonly #stdout: Capture;
  readonly #stderr: Capture;
  readonly #takeUs: number;
  #initUs: number | undefined;

  constructor(options: HandlerRunOptions, { event, taken, takeUs }: Part) {
    const { outputBytes } = options.version.config;
    const { body, signal } = options;
    this.#options = options;
    this.#event = event;
    this.#taken = taken;
    this.#takeUs = takeUs;
    this.#body = body && new BodyFeed(taken.guest, event.id, { ...body, signal });
    this.#signal = this.#body?.signal ?? signal;
    const { stdout, stderr } = captureBoth(outputBytes, options.onOutput);
    this.#stdout = stdout;
    this.#stderr = stderr;
    taken.guest.capture(stdout, stderr);
  }

  /** Undefined where the container died before it can have run anything of the function. */
  async call(): Promise<HandlerOutcome | undefined> {
    try {
      if (this.#taken.isLoaded) return this.#settled(await this.#invoke());
      this.#taken.guest.limit(this.#options.version.config);
      return this.#settled(await this.#loadAndInvoke());
    } catch (error) {
      this.#options.pool.discard(this.#taken.guest);
      if (!isRunletError(error, "protocol_violation")) throw error;
      return { ...this.#facts(), failure: error };
    } finally {
      this.#body?.[Symbol.dispose]();
    }
  }

  /** Where the body has broken off, that is what the invocation came to. */
  #settled(outcome: HandlerOutcome | undefined): HandlerOutcome | undefined {
    const failure = this.#body?.failure;
    if (outcome === undefined || failure === undefined) return outcome;
    const { answer: _answer, thrown: _thrown, ...facts } = outcome;
    return { ...facts, failure };
  }

  async #loadAndInvoke(): Promise<HandlerOutcome | undefined> {
    const { guest, start } = this.#taken;
    const { task } = this.#options;
    const loadStart = performance.now();
    const limit = endInTime(guest.init, loadTimeoutMs, this.#signal);
    // A container from stock is quick to load: the event goes along, and one round trip is saved.
    let early: ReturnType<HandlerRun["send"]> | undefined;
    try {
      const loading = guest.load(await task());
      early = start === "cold" ? undefined : this.send();
      early?.catch(() => undefined);
      const loaded = await loading;
      this.#initUs = elapsedUs(loadStart);
      if (loaded.kind === "ended" && isOutside(loaded)) return this.#drop();
      if (loaded.kind === "ended" && !guest.isReady) return this.#late(loaded);
      if (loaded.kind !== "answered") return this.#failed(loaded, loadTimeoutMs);
    } finally {
      limit[Symbol.dispose]();
    }
    return await this.#invoke(early);
  }

  async #invoke(early?: ReturnType<HandlerRun["send"]>): Promise<HandlerOutcome | undefined> {
    const { guest } = this.#taken;
    const { timeoutMs } = this.#options.version.config;
    const wasAlive = guest.isAlive;
    const runStart = performance.now();
    using _limit = endInTime(guest.init, timeoutMs, this.#signal);
    const reply = await (early ?? this.send());
    const runUs = elapsedUs(runStart);
    if (reply.kind === "ended") {
      return wasAlive || this.#body?.feed.isBegun
        ? { ...this.#failed(reply, timeoutMs), runUs }
        : this.#drop();
    }
    if (reply.kind === "threw") {
      return { ...this.#facts(), runUs, ...this.#release(), ...failureOf(reply, timeoutMs) };
    }
    const { answer } = reply;
    if ("stream" in answer) {
      return { ...(await this.#stream(answer)), runUs: elapsedUs(runStart) };
    }
    return { ...this.#facts(), runUs, ...this.#release(), answer, answerBytes: answer.body.length };
  }

  /** Hands on what the guest writes until it has written all. */
  async #stream({ stream: source, ...head }: GuestStreamedAnswer): Promise<HandlerOutcome> {
    const { version, maxStreamBytes, onStream } = this.#options;
    const { guest, start } = this.#taken;
    const [takeUs, initUs] = [this.#takeUs, this.#initUs];
    const { timeoutMs, idleTimeoutMs } = version.config;
    const maxBytes = onStream === undefined ? maxCollectedBytes : maxStreamBytes;
    const stream = new AnswerStream(source, { init: guest.init, maxBytes, idleTimeoutMs });
    onStream?.({ ...head, start, takeUs, initUs, stream });
    const collected = onStream === undefined ? stream.collect() : undefined;
    const end = await stream.fill();
    const facts = { ...this.#facts(), answerBytes: stream.totalBytes };
    if (end.kind === "cut") {
      const { failure, exit } = end;
      const finish = async (): Promise<Exit> => await guest.finish();
      return { ...facts, failure, ...(exit && { exit }), end: finish };
    }
    if (end.kind === "ended") return { ...this.#failed(end, timeoutMs), ...facts };
    const ended = { ...facts, ...this.#release() };
    if (end.kind === "threw") return { ...ended, ...failureOf(end, timeoutMs) };
    // What a caller was told of as it came is not told again.
    if (collected === undefined) return { ...ended, answer: { ...head, body: Buffer.alloc(0) } };
    stream.end();
    return { ...ended, answer: { ...head, body: await collected } };
  }

  async send(): Promise<Reply<GuestAnswer | GuestStreamedAnswer>> {
    const { timeoutMs } = this.#options.version.config;
    return await this.#taken.guest.invoke({
      ...this.#event,
      deadlineAtMs: Date.now() + timeoutMs,
      feed: this.#body?.feed,
    });
  }

  /** Keeps the container for the next event, or has it end behind the answer. */
  #release(): Pick<Outcome, "end"> {
    const { pool, version } = this.#options;
    const { guest } = this.#taken;
    if (version.config.isolation === "reuse") {
      pool.keepWarm(versionKey(version), guest, version.config.keepAliveMs);
      return {};
    }
    const end = async (isUrgent: boolean): Promise<Exit> => {
      return isUrgent ? await guest.finish() : await pool.retire(guest);
    };
    return { end };
  }

  #failed(reply: Unanswered, timeoutMs: number): HandlerOutcome {
    const { guest } = this.#taken;
    const end = async (): Promise<Exit> => await guest.finish();
    return { ...this.#facts(), ...failureOf(reply, timeoutMs), end };
  }

  /** Its runner has not come up: nothing of the function has run. */
  #late({ exit }: Extract<Unanswered, { kind: "ended" }>): HandlerOutcome {
    const { guest } = this.#taken;
    const failure =
      exit.reason === "timeout"
        ? new RunletError(
            "deadline_exceeded",
            `Cannot run the function: its container did not come up within ${loadTimeoutMs} ms`,
          )
        : failureOfExit(exit, loadTimeoutMs);
    return { ...this.#facts(), failure, exit, end: async () => await guest.finish() };
  }

  /** What was heard of the end of a container that ran nothing. */
  get lastWords(): string | undefined {
    return this.#taken.guest.init.exit?.message;
  }

  #drop(): undefined {
    this.#options.pool.discard(this.#taken.guest);
  }

  #facts(): Outcome {
    this.#taken.guest.endCapture();
    return {
      stdout: this.#stdout,
      stderr: this.#stderr,
      containerId: this.#taken.guest.init.id,
      start: this.#taken.start,
      takeUs: this.#takeUs,
      ...(this.#initUs !== undefined && { initUs: this.#initUs }),
    };
  }
}

/** What a reply that is no answer makes of an invocation. */
export function failureOf(
  reply: Unanswered,
  timeoutMs: number,
): Required<Pick<Outcome, "failure">> & Pick<Outcome, "thrown" | "exit"> {
  if (reply.kind === "ended") {
    return { failure: failureOfExit(reply.exit, timeoutMs), exit: reply.exit };
  }
  const { name, message } = reply.error;
  return {
    failure: new RunletError("function_error", `Function failed: ${name}: ${message}`),
    thrown: reply.error,
  };
}

/** Whether a container that had nothing loaded yet was ended by something else than the code it was given. */
function isOutside({ exit }: Extract<Unanswered, { kind: "ended" }>): boolean {
  return (
    exit.reason === "lost" ||
    exit.reason === "failed" ||
    (exit.signal === "SIGKILL" && exit.reason === "signaled")
  );
}

function elapsedUs(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) * 1000);
}
