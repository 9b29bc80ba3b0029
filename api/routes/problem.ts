import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { z } from "zod";
import {
  AccessError,
  type ErrorCode,
  InvocationError,
  messageOf,
  RateLimitError,
  RunletError,
} from "../domain/errors.ts";
import { hostFailureOf } from "../domain/fault.ts";
import type { Problem } from "../schema/problem.ts";
import { noRoute } from "./gate.ts";
import { requestIdOf } from "./request-id.ts";

/** The HTTP status and title of each code, and what a caller may do. */
export const problems: Readonly<
  Record<ErrorCode, { status: number; title: string; advice: string }>
> = {
  invalid_argument: {
    status: 400,
    title: "The request is not valid",
    advice: "Correct what the detail names; nothing was changed",
  },
  unauthenticated: {
    status: 401,
    title: "No valid key",
    advice: "Send a key of this server as `Authorization: Bearer KEY`",
  },
  permission_denied: {
    status: 403,
    title: "Not allowed",
    advice: "Take a key with the scope that the detail names, or have the function made public",
  },
  not_found: {
    status: 404,
    title: "No such thing",
    advice: "Look for the name in the list of its kind",
  },
  already_exists: {
    status: 409,
    title: "It exists already",
    advice: "Take another name, or change what is there",
  },
  failed_precondition: {
    status: 409,
    title: "Not possible in this state",
    advice: "Look at its state, and try again once that has changed",
  },
  condition_not_met: {
    status: 412,
    title: "The condition does not hold",
    advice: "Read it again, and repeat the change on what it is now",
  },
  payload_too_large: {
    status: 413,
    title: "Too large",
    advice: "Send less, or have the server take more",
  },
  idempotency_key_reused: {
    status: 422,
    title: "The key belongs to another request",
    advice: "Take a new key for a new request",
  },
  resource_exhausted: {
    status: 429,
    title: "No capacity left",
    advice: "Try again after the seconds of Retry-After",
  },
  cancelled: { status: 499, title: "Cancelled", advice: "Send it again if it is still wanted" },
  internal: {
    status: 500,
    title: "Internal error",
    advice: "Read the server's log, and report it: it is a bug of Runlet",
  },
  runtime_failed: {
    status: 500,
    title: "The container runtime failed",
    advice: "Try again; if it stays so, run `runlet doctor` and read the server's log",
  },
  protocol_violation: {
    status: 502,
    title: "The function broke the channel protocol",
    advice: "Keep the function away from the descriptor of its runner",
  },
  function_error: {
    status: 502,
    title: "The function failed",
    advice: "Read functionError and the invocation's output, and mend the function",
  },
  delivery_failed: {
    status: 502,
    title: "A callback did not take what it was told",
    advice: "Have its receiver answer with 2xx within 10 s, and drive the dead letter again",
  },
  port_failed: {
    status: 502,
    title: "The server in the sandbox did not answer",
    advice: "See that a server listens on that port in the sandbox and speaks what it was asked in",
  },
  unavailable: {
    status: 503,
    title: "Not available",
    advice: "Mend what the detail names, and try again",
  },
  deadline_exceeded: {
    status: 504,
    title: "No answer in time",
    advice: "Try again; if it stays so, read the server's log",
  },
  function_timeout: {
    status: 504,
    title: "The function timed out",
    advice: "Make the function faster, or deploy it with a larger timeoutMs",
  },
};

/** Seconds after which a caller who was refused for lack of capacity may try again. */
const retryAfterSeconds = 1;

/**
 * Any error as a problem document; what neither is a RunletError nor has its cause in the host is a bug of ours and
 * says nothing of its inside.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof HTTPException) {
    return describe({
      code: "invalid_argument",
      detail: `Cannot take the request: ${factOf(error)}`,
    });
  }
  const known = error instanceof RunletError ? error : (cutShortOf(error) ?? hostFailureOf(error));
  if (known === undefined) {
    return describe({ code: "internal", detail: "Cannot answer: unexpected error, see the log" });
  }
  return describe({ code: known.code, detail: known.message, ...factsOf(known) });
}

/** What Node throws to who reads the body of a request that its caller has given up. */
function cutShortOf(error: unknown): RunletError | undefined {
  const isCutShort =
    error instanceof Error &&
    error.message === "aborted" &&
    (error as NodeJS.ErrnoException).code === "ECONNRESET";
  if (!isCutShort) return undefined;
  return new RunletError("cancelled", "Cannot take the request: it ended before its body did");
}

/** Any error as an answer; see {@link problemOf}. */
export function problemResponse(error: unknown, context: Context): Response {
  return respond(context, problemOf(error), headersOf(error));
}

/** The problem of a request that its schema refuses. */
export function validationProblem(error: z.core.$ZodError, context: Context): Response {
  const issues = error.issues.map((issue) => ({
    path: issue.path.map(String).join("."),
    message: issue.message,
  }));
  const listed = issues.map(({ path, message }) => (path ? `${path}: ${message}` : message));
  const detail = `Cannot take the request: ${listed.join("; ")}`;
  return respond(context, describe({ code: "invalid_argument", detail, issues }));
}

/** The problem of a path that no route serves. */
export function routeNotFound(context: Context): Response {
  return problemResponse(noRoute(context.req), context);
}

function factsOf(error: RunletError): Omit<Partial<Problem>, "code"> {
  if (!(error instanceof InvocationError)) return {};
  const { thrown, exit, invocationId } = error;
  return {
    invocationId,
    ...(thrown && {
      functionError: {
        name: thrown.name,
        message: thrown.message,
        ...(thrown.stack !== undefined && { stack: thrown.stack }),
      },
    }),
    ...(exit && {
      exit: {
        code: exit.code,
        reason: exit.reason,
        ...(exit.signal !== undefined && { signal: exit.signal }),
      },
    }),
  };
}

/** What hono refuses by itself is a body that is no JSON, or that does not say that it is. */
function factOf(error: HTTPException): string {
  return error.status === 415 ? "its content type is not application/json" : error.message;
}

function describe(
  facts: Omit<Partial<Problem>, "code"> & { code: ErrorCode; detail: string },
): Problem {
  const { status, title } = problems[facts.code];
  return { type: "about:blank", status, title, ...facts };
}

/** What an answer says of its invocation, well or not, is in the same headers. */
function headersOf(error: unknown): Record<string, string> {
  if (error instanceof RateLimitError) {
    return { "retry-after": String(Math.ceil(error.retryAfterMs / 1000)) };
  }
  if (error instanceof AccessError) {
    return {
      "www-authenticate": ['Bearer realm="runlet"', error.challenge].filter(Boolean).join(", "),
    };
  }
  if (!(error instanceof InvocationError)) return {};
  const { traceId, logTail } = error;
  return {
    "runlet-trace-id": traceId,
    ...(logTail !== undefined && { "runlet-log-tail": logTail }),
  };
}

function respond(context: Context, body: Problem, facts: Record<string, string> = {}): Response {
  const headers = { ...headersOfProblem(body, requestIdOf(context)), ...facts };
  return context.newResponse(JSON.stringify(body), body.status as 400, headers);
}

/** What goes before a problem document. */
export function headersOfProblem(
  { status, invocationId }: Problem,
  requestId: string,
): Record<string, string> {
  return {
    "content-type": "application/problem+json",
    "runlet-request-id": requestId,
    ...(invocationId !== undefined && { "runlet-invocation-id": invocationId }),
    ...(status === 429 && { "retry-after": String(retryAfterSeconds) }),
    // What is left of the body is not read, so the connection serves nobody after this.
    ...(status === 413 && { connection: "close" }),
  };
}

/** Answers what failed; `told` is what its caller may know of it, where that is less. */
export type Fail = (error: unknown, context: Context, told?: unknown) => Response;

/** The codes of what is for who runs the server to hear of: neither a caller's doing nor a function's. */
export const ownFailures: ReadonlySet<string> = new Set<ErrorCode>([
  "internal",
  "runtime_failed",
  "unavailable",
  "deadline_exceeded",
]);

/** The text of an error for the log: where it happened, too, of what nobody expected. */
export function logText(error: unknown): string {
  const { code, cause } = error instanceof RunletError ? error : {};
  const bug = code === "internal" ? cause : error;
  return bug instanceof RunletError || !(bug instanceof Error)
    ? messageOf(error)
    : (bug.stack ?? bug.message);
}
