/**
 * The stable error codes, by meaning and not by origin. `api/routes/problem.ts` maps each one to an HTTP
 * status; a code without a status does not compile.
 */
export type ErrorCode =
  | "invalid_argument"
  | "unauthenticated"
  | "permission_denied"
  | "not_found"
  | "already_exists"
  | "failed_precondition"
  | "idempotency_key_reused"
  | "condition_not_met"
  | "payload_too_large"
  | "resource_exhausted"
  | "unavailable"
  | "deadline_exceeded"
  | "cancelled"
  | "function_error"
  | "function_timeout"
  | "delivery_failed"
  | "port_failed"
  | "runtime_failed"
  | "protocol_violation"
  | "internal";

/** An error whose `code` a caller may rely on; the message says what could not be done and why. */
export class RunletError extends Error {
  override readonly name: string = "RunletError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Tells whether `error` is a RunletError, and of that code if one is given. */
export function isRunletError(error: unknown, code?: ErrorCode): error is RunletError {
  return error instanceof RunletError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
