import { createHash } from "node:crypto";
import { nowUs } from "../../runtime/clock.ts";
import { untilAborted } from "../../runtime/deadline.ts";
import type { IdempotencyKeyRow, IdempotencyKeyStore } from "../../store/idempotency-keys.ts";
import { type ErrorCode, InvocationError, RunletError } from "./errors.ts";
import type { Functions } from "./functions.ts";
import type { Finished } from "./invocations.ts";
import { type Answer, answerOf, type InvokeRequest, type Invoker } from "./invoker.ts";

/** How long a key stands for its first answer. */
const keptForUs = 24 * 60 * 60 * 1_000_000;

/** The largest body that is kept to be answered again. */
const maxKeptBytes = 1024 * 1024;

/** Failures that say nothing of the function: a further try may well run it. */
const unkept: ReadonlySet<ErrorCode> = new Set(["resource_exhausted", "unavailable"]);

export interface IdempotentInvokerOptions {
  store: IdempotencyKeyStore;
  functions: Functions;
  invoker: Invoker;
}

type Kept = { readonly answer: Omit<Answer, "body"> } | { readonly failure: KeptFailure };

type KeptFailure = Pick<
  InvocationError,
  "code" | "message" | "invocationId" | "traceId" | "thrown" | "exit"
>;

interface Running {
  readonly digest: string;
  readonly answer: Promise<Answer>;
}

/** Invokes functions once for each key that callers name, however often they ask. */
export class IdempotentInvoker {
  readonly #options: IdempotentInvokerOptions;
  readonly #running = new Map<string, Running>();

  constructor(options: IdempotentInvokerOptions) {
    this.#options = options;
  }

  /**
   * Invokes as the invoker does, or answers as the first call with this key did within the last day, be that
   * with a failure. A caller that goes away leaves its invocation running: whoever asks again gets its answer.
   * @throws `idempotency_key_reused` for another event; `failed_precondition` for an answer of more than 1 MiB, which is not kept.
   */
  async invoke({ key, signal, ...request }: InvokeRequest & { key: string }): Promise<Answer> {
    const { store, functions } = this.#options;
    const { name, qualifier } = request;
    functions.resolve(name, qualifier);
    const digest = digestOf(request);
    const place = `${name} ${key}`;
    const running = this.#running.get(place);
    if (running !== undefined) {
      checkSame(running.digest, digest);
      const answer = await untilAborted(running.answer, signal);
      return { ...answer, logTail: undefined, isReplayed: true };
    }
    const kept = store.get(name, key, nowUs());
    if (kept !== undefined) {
      checkSame(kept.requestDigest, digest);
      return answerAgain(kept);
    }
    const answer = this.#invoke(key, digest, request);
    this.#running.set(place, { digest, answer });
    const forget = (): boolean => this.#running.delete(place);
    answer.then(forget, forget);
    return await untilAborted(answer, signal);
  }

  async #invoke(
    key: string,
    requestDigest: string,
    request: Omit<InvokeRequest, "signal">,
  ): Promise<Answer> {
    const { store, invoker } = this.#options;
    const onRecord = (finished: Finished): void => {
      const kept = keptOf(finished);
      if (kept === undefined) return;
      const atUs = nowUs();
      const expiresAtUs = atUs + keptForUs;
      store.put({ functionName: request.name, key, requestDigest, ...kept, expiresAtUs }, atUs);
    };
    return await invoker.invoke({ ...request, signal: new AbortController().signal, onRecord });
  }
}

function digestOf({ qualifier, contentType, event }: Omit<InvokeRequest, "signal">): string {
  const about = JSON.stringify([qualifier ?? null, contentType ?? null]);
  return createHash("sha256").update(about).update(event).digest("hex");
}

function checkSame(first: string, second: string): void {
  if (first === second) return;
  throw new RunletError(
    "idempotency_key_reused",
    "Cannot invoke with this idempotency key: it came with another event before. Use a new key for each event",
  );
}

function keptOf(finished: Finished): Pick<IdempotencyKeyRow, "answerJson" | "body"> | undefined {
  try {
    const { body, ...answer } = answerOf(finished);
    const isKept = body.byteLength <= maxKeptBytes;
    return { answerJson: JSON.stringify({ answer } satisfies Kept), body: isKept ? body : null };
  } catch (error) {
    if (!(error instanceof InvocationError)) throw error;
    if (unkept.has(error.code)) return undefined;
    const { code, message, invocationId, traceId, thrown, exit } = error;
    const failure = { code, message, invocationId, traceId, thrown, exit };
    return { answerJson: JSON.stringify({ failure } satisfies Kept), body: null };
  }
}

function answerAgain({ answerJson, body }: IdempotencyKeyRow): Answer {
  const kept = JSON.parse(answerJson) as Kept;
  if ("failure" in kept) {
    const { code, message, invocationId, traceId, thrown, exit } = kept.failure;
    throw new InvocationError(new RunletError(code, message), {
      invocationId,
      traceId,
      ...(thrown && { thrown }),
      ...(exit && { exit }),
    });
  }
  const { answer } = kept;
  if (body !== null) return { ...answer, body, isReplayed: true };
  throw new RunletError(
    "failed_precondition",
    `Cannot answer again: invocation ${answer.record.id} ran, and its answer is over ${maxKeptBytes} bytes, so that it was not kept`,
  );
}
