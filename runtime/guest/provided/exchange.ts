import type { Answer, StreamedAnswer } from "../node/answer.ts";
import type { Delivery } from "./delivery.ts";
import { namedError } from "./named-error.ts";
import { Refusal } from "./refusal.ts";

/** Gives an event to a program that asked for one. */
type Deliver = (delivery: Delivery) => void;

interface Invocation {
  readonly delivery: Delivery;
  readonly outcome: PromiseWithResolvers<Answer | StreamedAnswer>;
  state: "waiting" | "running" | "streaming" | "answered";
  /** Tells the host what the program answered. */
  release?: () => void;
}

/** How long a program may take to ask for its first event: less than the host waits, who cannot know why. */
const readyTimeoutMs = 9000;

/**
 * Where the host's invocations and the program's requests meet, one invocation at a time. What the program
 * answers is the host's when the program asks for the next event, and so is ready for it, or when it ends.
 */
export class Exchange {
  readonly #ready = Promise.withResolvers<void>();
  readonly #waiting = new Set<Deliver>();
  #current: Invocation | undefined;
  #isReady = false;

  constructor() {
    this.#ready.promise.catch(() => undefined);
  }

  /** Settles when the program asks for an event. @throws what it reports instead; InitTimeout. */
  async ready(): Promise<void> {
    const timer = setTimeout(() => this.#ready.reject(initTimeout()), readyTimeoutMs);
    await this.#ready.promise.finally(() => clearTimeout(timer));
  }

  /** Has the program work on an event. @throws the error that it reports. */
  async invoke(delivery: Delivery): Promise<Answer | StreamedAnswer> {
    const outcome = Promise.withResolvers<Answer | StreamedAnswer>();
    this.#current = { delivery, outcome, state: "waiting" };
    this.#deliver();
    return await outcome.promise;
  }

  /** Tells the host what is held back for it. */
  release(): void {
    this.#current?.release?.();
  }

  /** The program asks for an event. @throws Refusal while it owes an answer. */
  next(deliver: Deliver): void {
    if (this.#current?.state === "running" || this.#current?.state === "streaming") {
      throw invalidState("an invocation has not been answered yet");
    }
    this.#waiting.add(deliver);
    this.#isReady = true;
    this.#ready.resolve();
    this.release();
    this.#deliver();
  }

  /** The program does not wait for an event any more. */
  leave(deliver: Deliver): void {
    this.#waiting.delete(deliver);
  }

  /** Makes sure that the program may answer an invocation now. @throws Refusal if it may not. */
  check(id: string): void {
    this.#owed(id);
  }

  /** The program answers. @throws Refusal if it may not. */
  respond(id: string, answer: Answer): void {
    const invocation = this.#owed(id);
    this.#answered(invocation, () => invocation.outcome.resolve(answer));
  }

  /** The program begins a streamed answer, to be followed by {@link finish}. @throws Refusal if it may not. */
  begin(id: string, answer: StreamedAnswer): void {
    const invocation = this.#owed(id);
    invocation.state = "streaming";
    invocation.outcome.resolve(answer);
  }

  /** The stream is over; settles when the program is ready for the next event, or ends. */
  async finish(id: string): Promise<void> {
    const current = this.#current;
    if (current?.delivery.id !== id) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answered(current, resolve);
    await promise;
  }

  /** The program reports that an invocation failed. @throws Refusal if it may not. */
  fail(id: string, error: Error): void {
    const invocation = this.#owed(id);
    this.#answered(invocation, () => invocation.outcome.reject(error));
  }

  /** The program reports that it cannot start. @throws Refusal once it has. */
  failInit(error: Error): void {
    if (this.#isReady) throw invalidState("the program has asked for an event before");
    this.#ready.reject(error);
  }

  #owed(id: string): Invocation {
    const current = this.#current;
    if (current?.delivery.id !== id || current.state === "waiting") {
      throw new Refusal(400, "InvalidRequestID", "Invalid request ID");
    }
    if (current.state !== "running") throw invalidState("the invocation has been answered");
    return current;
  }

  #answered(invocation: Invocation, release: () => void): void {
    invocation.state = "answered";
    invocation.release = release;
    if (this.#waiting.size > 0) release();
  }

  #deliver(): void {
    const [deliver] = this.#waiting;
    const current = this.#current;
    if (deliver === undefined || current?.state !== "waiting") return;
    this.#waiting.delete(deliver);
    current.state = "running";
    deliver(current.delivery);
  }
}

function invalidState(fact: string): Refusal {
  return new Refusal(403, "InvalidStateTransition", `State transition is not allowed: ${fact}`);
}

function initTimeout(): Error {
  return namedError(
    "InitTimeout",
    `The program did not ask for an event within ${readyTimeoutMs} ms: ` +
      "it has to send GET /2018-06-01/runtime/invocation/next to $AWS_LAMBDA_RUNTIME_API",
  );
}
