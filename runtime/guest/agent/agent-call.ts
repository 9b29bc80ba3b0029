import { untilAborted } from "../../deadline.ts";
import { type ErrorCode, RunletError } from "../../errors.ts";
import { Wakeup } from "../../wakeup.ts";

/** What either side may send of one call's stream before it hears of it again; as in call.py. */
const windowBytes = 1024 * 1024;
/** How much has to be passed on before the agent hears of it; as in call.py. */
const creditBytes = windowBytes / 4;
const chunkCostBytes = 256;
const chunkBytes = 256 * 1024;

/** Told of what comes before the answer; neither may throw. */
export interface CallHandlers {
  /** What is asked for, for the message where it is refused: "read notes.txt". */
  what: string;
  onEvent?: (event: Readonly<Record<string, unknown>>) => void;
  /** A piece of the call's stream; {@link AgentCall.consumed} lets the next ones come. */
  onData?: (body: Buffer, stream: string | undefined) => void;
}

/** What a call needs of the link that it is on. */
interface Line {
  send: (header: object, body?: Uint8Array) => void;
  /** Settles when the socket takes more. */
  drained: () => Promise<void>;
  forget: (call: AgentCall) => void;
}

type Said =
  | { type: "event"; event: Readonly<Record<string, unknown>> }
  | { type: "data"; stream?: string | undefined }
  | { type: "credit"; bytes: number }
  | { type: "reply"; result: Readonly<Record<string, unknown>> }
  | { type: "fail"; code: string; message: string };

/** What the agent's errnos mean to a caller; any other is a failure inside. */
const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "not_found",
  ESRCH: "not_found",
  EEXIST: "already_exists",
  EACCES: "permission_denied",
  EPERM: "permission_denied",
  EROFS: "permission_denied",
  ENOSPC: "resource_exhausted",
  EDQUOT: "resource_exhausted",
  EMFILE: "resource_exhausted",
  ENOMEM: "resource_exhausted",
  EAGAIN: "resource_exhausted",
  ECONNREFUSED: "port_failed",
  EINVAL: "invalid_argument",
  ENOEXEC: "invalid_argument",
  ENAMETOOLONG: "invalid_argument",
  ELOOP: "invalid_argument",
  EISDIR: "failed_precondition",
  ENOTDIR: "failed_precondition",
  ENOTEMPTY: "failed_precondition",
  ENOTTY: "failed_precondition",
  EPIPE: "failed_precondition",
  EXDEV: "failed_precondition",
};

/** One request to the agent: what it answers, and a stream each way meanwhile. */
export class AgentCall {
  readonly id: number;
  /** The answer. Rejects with what the agent refused it for, or `unavailable` if the sandbox ends. */
  readonly result: Promise<Readonly<Record<string, unknown>>>;
  readonly #handlers: CallHandlers;
  readonly #line: Line;
  readonly #result = Promise.withResolvers<Readonly<Record<string, unknown>>>();
  readonly #credited = new Wakeup();
  #credit = windowBytes;
  #open = windowBytes;
  #passedOn = 0;
  #isOver = false;

  constructor(id: number, handlers: CallHandlers, line: Line) {
    this.id = id;
    this.#handlers = handlers;
    this.#line = line;
    this.result = this.#result.promise;
    // Whoever waits for the answer hears of it; others may have gone away.
    this.result.catch(() => undefined);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Sends bytes of the call's stream, as fast as the agent takes them; after the answer they go nowhere.
   * @throws the signal's reason.
   */
  async write(body: Uint8Array, signal?: AbortSignal): Promise<void> {
    for (let at = 0; at < body.byteLength && !this.#isOver;) {
      const part = body.subarray(at, at + Math.min(chunkBytes, this.#credit - chunkCostBytes));
      if (this.#credit <= chunkCostBytes || part.byteLength === 0) {
        await untilAborted(this.#credited.next(), signal);
        continue;
      }
      this.#credit -= part.byteLength + chunkCostBytes;
      this.#line.send({ type: "data", id: this.id }, part);
      at += part.byteLength;
      await untilAborted(this.#line.drained(), signal);
    }
  }

  /** The call's stream is whole. */
  end(): void {
    if (!this.#isOver) this.#line.send({ type: "end", id: this.id });
  }

  /** Lets the agent send on, after so many bytes of one piece have been passed on. */
  consumed(pieceBytes: number): void {
    this.#passedOn += pieceBytes + chunkCostBytes;
    if (this.#passedOn < creditBytes || this.#isOver) return;
    const bytes = this.#passedOn;
    this.#passedOn = 0;
    this.#open += bytes;
    this.#line.send({ type: "credit", id: this.id, bytes });
  }

  /** Gives up the call; what it has started goes on or not as its operation has it. */
  cancel(reason?: unknown): void {
    if (this.#isOver) return;
    this.#line.send({ type: "cancel", id: this.id });
    this.lose(reason ?? new RunletError("cancelled", "The call was given up"));
  }

  /** The call has no answer any more. */
  lose(reason: unknown): void {
    if (this.#finish()) this.#result.reject(reason);
  }

  /** Takes what the agent says of the call; false if it may not say it. */
  take(said: Said, body: Buffer): boolean {
    switch (said.type) {
      case "event":
        this.#handlers.onEvent?.(said.event);
        return true;
      case "data":
        this.#open -= body.byteLength + chunkCostBytes;
        if (this.#open < 0 || this.#handlers.onData === undefined) return false;
        this.#handlers.onData(body, said.stream);
        return true;
      case "credit":
        this.#credit += said.bytes;
        this.#credited.wake();
        return this.#credit <= windowBytes;
      case "reply":
        if (this.#finish()) this.#result.resolve(said.result);
        return true;
      case "fail":
        this.lose(
          new RunletError(
            codes[said.code] ?? "runtime_failed",
            `Cannot ${this.#handlers.what}: ${said.message}`,
          ),
        );
        return true;
    }
  }

  #finish(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#line.forget(this);
    this.#credited.wake();
    return true;
  }
}
