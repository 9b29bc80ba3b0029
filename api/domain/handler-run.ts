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
import { RunletError } from "./errors.ts";
import { failureOfExit, type Outcome } from "./outcome.ts";
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
  /** Bound of an answer that is streamed, in bytes. */
  maxStreamBytes: number;
  /**
   * Told of a streamed answer as soon as it begins; its end is for who was told to let through. Without it, a
   * streamed answer is an answer as any other once it is whole.
   */
  onStream?: ((begun: BegunAnswer) => void) | undefined;
  signal: AbortSignal;
}

/** An answer that is still being written. */
export interface BegunAnswer extends GuestAnswerHead {
  readonly start: PoolTaken["start"];
  readonly stream: AnswerStream;
}

export type HandlerEvent = Omit<GuestEvent, "deadlineAtMs">;

export interface HandlerOutcome extends Outcome {
  readonly answer?: GuestAnswer;
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
    const run = new HandlerRun(options, taken, elapsedUs(takeStart));
    const outcome = await run.call(event);
    if (outcome !== undefined) return outcome;
    lastWords = run.lastWords;
  }
  const why = `${maxContainers} containers in a row died before they ran the function`;
  const said = lastWords === undefined ? "" : `. The last one: ${lastWords}`;
  return { failure: new RunletError("runtime_failed", `Cannot run the function: ${why}${said}`) };
}

/** One container's part in an invocation. */
class HandlerRun {
  readonly #options: HandlerRunOptions;
  readonly #taken: PoolTaken;
  readonly #stdout: Capture;
  readonly #stderr: Capture;
  readonly #takeUs: number;
  #initUs: number | undefined;

  constructor(options: HandlerRunOptions, taken: PoolTaken, takeUs: number) {
    const { outputBytes } = options.version.config;
    this.#options = options;
    this.#taken = taken;
    this.#takeUs = takeUs;
    const { stdout, stderr } = captureBoth(outputBytes, options.onOutput);
    this.#stdout = stdout;
    this.#stderr = stderr;
    taken.guest.capture(stdout, stderr);
  }

  /** Undefined where the container died before it can have run anything of the function. */
  async call(event: HandlerEvent): Promise<HandlerOutcome | undefined> {
    try {
      if (this.#taken.isLoaded) return await this.#invoke(event);
      this.#taken.guest.limit(this.#options.version.config);
      return await this.#loadAndInvoke(event);
    } catch (error) {
      this.#options.pool.discard(this.#taken.guest);
      throw error;
    }
  }

  async #loadAndInvoke(event: HandlerEvent): Promise<HandlerOutcome | undefined> {
    const { guest, start } = this.#taken;
    const { task, signal } = this.#options;
    const loadStart = performance.now();
    const limit = endInTime(guest.init, loadTimeoutMs, signal);
    // A container from stock is quick to load: the event goes along, and one round trip is saved.
    let early: ReturnType<HandlerRun["send"]> | undefined;
    try {
      const loading = guest.load(await task());
      early = start === "cold" ? undefined : this.send(event);
      early?.catch(() => undefined);
      const loaded = await loading;
      this.#initUs = elapsedUs(loadStart);
      if (loaded.kind === "ended" && isOutside(loaded)) return this.#drop();
      if (loaded.kind !== "answered") return this.#failed(loaded, loadTimeoutMs);
    } finally {
      limit[Symbol.dispose]();
    }
    return await this.#invoke(event, early);
  }

  async #invoke(
    event: HandlerEvent,
    early?: ReturnType<HandlerRun["send"]>,
  ): Promise<HandlerOutcome | undefined> {
    const { version, signal } = this.#options;
    const { guest } = this.#taken;
    const { timeoutMs } = version.config;
    const wasAlive = guest.isAlive;
    const runStart = performance.now();
    using _limit = endInTime(guest.init, timeoutMs, signal);
    const reply = await (early ?? this.send(event));
    const runUs = elapsedUs(runStart);
    if (reply.kind === "ended") {
      return wasAlive ? { ...this.#failed(reply, timeoutMs), runUs } : this.#drop();
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
    const { timeoutMs, idleTimeoutMs } = version.config;
    const maxBytes = onStream === undefined ? maxCollectedBytes : maxStreamBytes;
    const stream = new AnswerStream(source, { init: guest.init, maxBytes, idleTimeoutMs });
    onStream?.({ ...head, start, stream });
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

  async send(event: HandlerEvent): Promise<Reply<GuestAnswer | GuestStreamedAnswer>> {
    const { timeoutMs } = this.#options.version.config;
    return await this.#taken.guest.invoke({ ...event, deadlineAtMs: Date.now() + timeoutMs });
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

  /** What was heard of the end of a container that ran nothing. */
  get lastWords(): string | undefined {
    return this.#taken.guest.init.exit?.message;
  }

  #drop(): undefined {
    this.#options.pool.discard(this.#taken.guest);
  }

  #facts(): Outcome {
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
