import { RunletError } from "../../runtime/errors.ts";
import type { Exit } from "../../runtime/container/exit.ts";

export { isRunletError, messageOf, RunletError, type ErrorCode } from "../../runtime/errors.ts";

/** What a function threw. */
export interface ThrownError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
}

/** A caller who calls too often, and after what time it may again. */
export class RateLimitError extends RunletError {
  override readonly name = "RateLimitError";
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super("resource_exhausted", message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** A request that brings no key that is good for what it asks, and what kind of key would be. */
export class AccessError extends RunletError {
  override readonly name = "AccessError";
  /** What follows the scheme in `WWW-Authenticate`. */
  readonly challenge: string;

  constructor(code: "unauthenticated" | "permission_denied", message: string, challenge = "") {
    super(code, message);
    this.challenge = challenge;
  }
}

/** An invocation that did not succeed; the record with `invocationId` holds the same facts and the output. */
export class InvocationError extends RunletError {
  override readonly name = "InvocationError";
  readonly invocationId: string;
  readonly traceId: string;
  /** The end of the output in base64, where the caller asked for it. */
  readonly logTail: string | undefined;
  readonly thrown: ThrownError | undefined;
  readonly exit: Exit | undefined;

  constructor(
    cause: RunletError,
    facts: {
      invocationId: string;
      traceId: string;
      thrown?: ThrownError;
      exit?: Exit;
      logTail?: string | undefined;
    },
  ) {
    super(cause.code, cause.message, { cause });
    this.invocationId = facts.invocationId;
    this.traceId = facts.traceId;
    this.logTail = facts.logTail;
    this.thrown = facts.thrown;
    this.exit = facts.exit;
  }
}
