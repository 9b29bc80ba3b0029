import type { Guest, GuestAnswerHead, GuestTask } from "../../runtime/guest/guest.ts";
import type { InvokeRequest as HttpRequest } from "../../runtime/guest/messages.ts";
import type { ImageStore } from "../../runtime/image/image-store.ts";
import type { Machine } from "../../runtime/machine.ts";
import type { Pool } from "../../runtime/pool/pool.ts";
import { traceIdOf } from "../../store/trace-id.ts";
import type { Invocation } from "../schema/invocation.ts";
import type { AnswerStream } from "./answer-stream.ts";
import type { BodyStream } from "./body-stream.ts";
import { eventType } from "./event.ts";
import type { Concurrency } from "./concurrency.ts";
import type { RunletError } from "./errors.ts";
import type { Functions } from "./functions.ts";
import type { Gates } from "./gates.ts";
import {
  type BegunAnswer,
  type HandlerEvent,
  type HandlerOutcome,
  type HandlerRunOptions,
  runHandler,
  versionKey,
} from "./handler-run.ts";
import type { Bounds, Finished, Invocations, OnRecord, RunContext } from "./invocations.ts";
import { LogTail } from "./log-tail.ts";
import { asFailure, invocationError } from "./outcome.ts";
import { poolClassOf } from "./pool-class.ts";
import type { CodeRepository, StoredVersion } from "./ports.ts";
import { runCommand } from "./program-run.ts";
import type { RateLimits } from "./rate-limits.ts";
import { maskOf, type Secrets } from "./secrets.ts";
import type { Stocking } from "./stocking.ts";
import { type Trace, traceparentOf } from "./trace.ts";

export interface InvokerOptions {
  functions: Functions;
  invocations: Invocations;
  machine: Machine;
  pool: Pool;
  images: ImageStore;
  code: CodeRepository;
  stocking: Stocking;
  secrets: Secrets;
  concurrency: Concurrency;
  rateLimits: RateLimits;
  gates: Gates;
  /** Bound of an answer that is streamed, in bytes. */
  maxStreamBytes: number;
  /** Bound of a body that still arrives, where the handler wants it as a whole. */
  maxEventBytes: number;
}

export interface InvokeRequest {
  name: string;
  /** An alias, a version's number or `$LATEST`, which is also what none means. */
  qualifier?: string | undefined;
  contentType?: string | undefined;
  event: Buffer;
  /** Who calls, as rate limits tell callers apart; all who are not named are one. */
  caller?: string | undefined;
  /** The trace that the caller named. */
  trace?: Trace | undefined;
  /** Whether the end of the output is to come with the answer, also with a failure. */
  wantsLogTail?: boolean;
  /** The event that this is an attempt at, where its caller does not wait. */
  attempt?: { eventId: string; attempt: number } | undefined;
  signal: AbortSignal;
  /** Told of the invocation's end in the transaction of its record. */
  onRecord?: OnRecord | undefined;
}

/** What a version is called with. */
export interface Call extends Omit<InvokeRequest, "name"> {
  /** The HTTP request that the event is the body of, which is then taken as it comes. */
  http?: HttpRequest | undefined;
  /** The body of that request where it still arrives, which is only for {@link Invoker.mayStream}; `event` is empty then. */
  body?: BodyStream | undefined;
}

/** What a function answered, as its caller gets it. */
export interface Answer extends GuestAnswerHead {
  readonly record: Invocation;
  readonly body: Uint8Array;
  /** The answer is a program's output and was cut at the function's output bound. */
  readonly truncated: boolean;
  /** The last 4 KiB of stdout and stderr as they came, in base64, where they were asked for. */
  readonly logTail?: string | undefined;
  /** The answer is that of an earlier call with the same idempotency key. */
  readonly isReplayed?: boolean;
}

/** An answer that is still being written; the stream ends when the invocation is on record. */
export interface StreamedAnswer extends GuestAnswerHead {
  readonly record: Pick<
    Invocation,
    "id" | "functionVersion" | "start" | "traceId" | "queueUs" | "takeUs" | "initUs"
  >;
  readonly stream: AnswerStream;
  /** The end of its output where that was asked for; whole once the stream has ended. */
  readonly logTail: LogTail | undefined;
}

/** One invocation as its run has to know it. */
interface RunFacts extends RunContext {
  readonly onStream:
    | ((run: RunContext, begun: BegunAnswer, logTail: LogTail | undefined) => void)
    | undefined;
  readonly logTail: LogTail | undefined;
}

/** Invokes functions, whatever their runtime. */
export class Invoker {
  readonly #options: InvokerOptions;
  /** The versions whose handlers have wanted a body as a whole. */
  readonly #wholeVersions = new Set<string>();

  constructor(options: InvokerOptions) {
    this.#options = options;
  }

  /**
   * Invokes a function and waits for its answer, which is on record before this returns.
   * @throws `not_found`; `invalid_argument` for an event that is not what it says; InvocationError if it failed; `resource_exhausted` if there is no room for it.
   */
  async invoke({ name, ...call }: InvokeRequest): Promise<Answer> {
    return await this.call(this.#options.functions.resolve(name, call.qualifier), call);
  }

  /** Checks what {@link invoke} would check before it runs anything; answers the version that would run. */
  check({ name, qualifier, contentType, event }: InvokeRequest): StoredVersion {
    const version = this.#options.functions.resolve(name, qualifier);
    if (version.config.runtime !== "command") eventType(contentType, event);
    return version;
  }

  /**
   * As {@link invoke}, but returns as soon as a streamed answer begins. Its end, and what breaks it off, is on
   * record before the stream tells it. Who does not read it to its end aborts the signal.
   */
  async open({ name, ...call }: InvokeRequest): Promise<Answer | StreamedAnswer> {
    return await this.openVersion(this.#options.functions.resolve(name, call.qualifier), call);
  }

  /** As {@link open}, of a version that was found already. */
  async openVersion(version: StoredVersion, request: Call): Promise<Answer | StreamedAnswer> {
    const begun = Promise.withResolvers<Answer | StreamedAnswer>();
    let stream: AnswerStream | undefined;
    const onStream: RunFacts["onStream"] = ({ id, queueUs }, answer, logTail) => {
      const { start, takeUs, initUs, ...rest } = answer;
      const traceId = request.trace?.id ?? traceIdOf(id);
      stream = answer.stream;
      const times = { queueUs, takeUs, initUs };
      begun.resolve({
        ...rest,
        record: { id, functionVersion: version.version, start, traceId, ...times },
        logTail,
      });
    };
    const settle = async (): Promise<void> => {
      try {
        const answer = await this.call(version, request, onStream);
        begun.resolve(answer);
        stream?.end();
      } catch (error) {
        begun.reject(error);
        stream?.end(asFailure(error));
      }
    };
    void settle();
    return await begun.promise;
  }

  /** As {@link invoke}, of a version that was found already; `onStream` is told of a streamed answer's begin. */
  async call(
    version: StoredVersion,
    request: Call,
    onStream?: RunFacts["onStream"],
  ): Promise<Answer> {
    const { invocations } = this.#options;
    this.#requireAdmission(version.name, request.caller);
    const { runtime, image } = version.config;
    const isRaw = runtime === "command" || request.http !== undefined;
    const contentType = isRaw ? undefined : eventType(request.contentType, request.event);
    const logTail = request.wantsLogTail ? new LogTail() : undefined;
    const finished = await invocations.run(
      {
        kind: "invoke",
        functionName: version.name,
        functionVersion: version.version,
        qualifier: request.qualifier ?? null,
        runtime,
        image,
        eventBytes: request.body === undefined ? request.event.length : null,
        traceId: request.trace?.id ?? null,
        ...request.attempt,
      },
      async (run) => {
        const watched = logTail === undefined ? run : withTail(run, logTail);
        const facts = { ...watched, onStream, logTail };
        return await this.#run(version, { ...request, contentType }, facts);
      },
      {
        signal: request.signal,
        ...this.#boundsOf(version.name),
        isBackground: request.attempt !== undefined,
        onRecord: request.onRecord,
      },
    );
    return answerOf(finished, logTail?.toBase64());
  }

  /**
   * Whether a body that still arrives may be given to a version as it comes. Its guest knows best: one that wants
   * it as a whole gets it so, but what waits for a caller then is a container, so that is asked once.
   */
  mayStream(version: StoredVersion): boolean {
    return version.config.runtime === "node" && !this.#wholeVersions.has(versionKey(version));
  }

  /**
   * Whether an attempt at an event need not wait at the function's own bound; or, for one that is patient, whether
   * it would be the only one that waits there. @throws `not_found`.
   */
  hasRoom(name: string, { isPatient }: { isPatient: boolean }): boolean {
    const gate = this.#options.gates.of(name);
    if (gate === undefined) return true;
    return gate.hasRoom || (isPatient && gate.waitingInBackground === 0);
  }

  /**
   * Why an invocation of a function would be refused at once for want of room, if it would.
   * @throws `not_found`; `resource_exhausted` for a function that is stopped.
   */
  refusalOf(name: string): RunletError | undefined {
    const { concurrency, invocations } = this.#options;
    concurrency.requireRunning(name);
    return invocations.refusalOf(name, this.#boundsOf(name));
  }

  /** Whichever version is called, the latest one says it. */
  #boundsOf(name: string): Bounds {
    const { functions, gates } = this.#options;
    return { gate: gates.of(name), queueLimit: functions.find(name).config.queueLimit };
  }

  #requireAdmission(name: string, caller = ""): void {
    const { concurrency, functions, rateLimits } = this.#options;
    concurrency.requireRunning(name);
    // Whichever version is called: an old one is no way around the bound.
    const { rateLimit } = functions.find(name).config;
    if (rateLimit !== undefined) rateLimits.take(name, caller, rateLimit);
  }

  async #run(
    version: StoredVersion,
    request: Call,
    { onStream, logTail, ...context }: RunFacts,
  ): Promise<HandlerOutcome> {
    const { id, signal, onOutput, onContainer } = context;
    const { machine, pool, images, code, stocking, secrets, maxStreamBytes } = this.#options;
    const traceparent = traceparentOf(id, request.trace);
    if (version.config.runtime === "command") {
      const image = await images.get(version.config.image);
      const { codeDigest } = version;
      const task = codeDigest === null ? undefined : code.path(codeDigest);
      const env = secrets.environmentOf(version.config);
      const mask = maskOf(version.config, env);
      const environment = { ...env, TRACEPARENT: traceparent };
      const told = { onOutput, onContainer, signal };
      const run = { machine, image, version, env: environment, mask, task, ...told };
      return await runCommand({ ...run, stdin: request.event });
    }
    const { contentType, http, event: body } = request;
    const event = { id, traceparent, contentType, body, request: http };
    const task = async (): Promise<GuestTask> => await stocking.task(version);
    const load = async (guest: Guest): Promise<void> => await stocking.load(guest, version);
    const poolClass = await poolClassOf(version.config, images);
    const onBegun = onStream && ((begun: BegunAnswer) => onStream(context, begun, logTail));
    const about = { pool, poolClass, version, task, load, maxStreamBytes };
    const run = { ...about, onOutput, onContainer, signal, onStream: onBegun };
    if (request.body === undefined) return await runHandler(run, event);
    return await this.#runStreamed(run, event, request.body);
  }

  async #runStreamed(
    run: HandlerRunOptions,
    event: HandlerEvent,
    stream: BodyStream,
  ): Promise<HandlerOutcome> {
    const onWhole = (): void => void this.#wholeVersions.add(versionKey(run.version));
    const body = { stream, maxWholeBytes: this.#options.maxEventBytes, onWhole };
    try {
      const outcome = await runHandler({ ...run, body }, event);
      return { ...outcome, eventBytes: stream.totalBytes };
    } finally {
      stream.leave();
    }
  }
}

/** What an invocation's caller gets. @throws InvocationError if it failed. */
export function answerOf({ record, outcome }: Finished<HandlerOutcome>, logTail?: string): Answer {
  if (outcome.failure !== undefined) {
    throw invocationError(record, outcome.failure, { ...outcome, logTail });
  }
  const { answer, isAnswerCut = false }: Partial<HandlerOutcome> = outcome;
  if (answer === undefined) throw new Error("An invocation that did not fail has no answer");
  return {
    record,
    status: answer.status,
    contentType: answer.contentType,
    headers: answer.headers,
    body: answer.body,
    truncated: isAnswerCut,
    logTail,
  };
}

function withTail(run: RunContext, tail: LogTail): RunContext {
  return {
    ...run,
    onOutput: (stream, chunk) => {
      tail.write(chunk);
      run.onOutput(stream, chunk);
    },
  };
}
