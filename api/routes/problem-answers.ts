import type { ErrorCode } from "../domain/errors.ts";
import { problem } from "../schema/problem.ts";
import { problems } from "./problem.ts";

/** The answers of a route definition for the problems that it may have, beside Runlet's own and the host's. */
export function problemAnswers(...codes: readonly ErrorCode[]): object {
  const all = new Set<ErrorCode>([...codes, "internal", "unavailable"]);
  const byStatus = Map.groupBy(all, (code) => problems[code].status);
  return Object.fromEntries([...byStatus].map(([status, of]) => [status, answerOf(status, of)]));
}

function answerOf(status: number, codes: readonly ErrorCode[]): object {
  const examples = codes.map((code) => {
    const { title, advice } = problems[code];
    const value = { type: "about:blank", title, status, code, detail: details[code] };
    return [code, { summary: advice, value }];
  });
  return {
    content: {
      "application/problem+json": { schema: problem, examples: Object.fromEntries(examples) },
    },
    headers: {
      "Runlet-Request-Id": {
        description: "What the server's log calls the request",
        schema: { type: "string", example: "3f0e7c52-8d0b-4b0c-9a57-2f1d6c1f6a35" },
      },
    },
    description: codes.map((code) => `\`${code}\`: ${problems[code].title}`).join(". "),
  };
}

/** What a problem of each code may say. */
const details: Readonly<Record<ErrorCode, string>> = {
  invalid_argument: "Cannot take the request: limit: Too small: expected number to be >=1",
  unauthenticated: "Cannot take the request: it brings no key. Send one as Authorization: Bearer",
  permission_denied:
    "Cannot call function hello at its URL: it is not public. Deploy it with http.public",
  not_found: "Cannot find function hello: there is none of that name",
  already_exists: "Cannot create alias live of hello: it exists. Change it with PUT",
  failed_precondition: "Cannot delete function hello: schedule nightly invokes it",
  condition_not_met: "Cannot change function hello: it was changed since. Read it again",
  payload_too_large: "Cannot take the request: its body is larger than 6291456 bytes",
  idempotency_key_reused: "Cannot invoke hello: the Idempotency-Key came with another event",
  resource_exhausted: "Cannot run now: 1000 wait already",
  cancelled: "Invocation was cancelled",
  internal: "Cannot answer: unexpected error, see the log",
  runtime_failed: "Cannot run the function: the sandbox ended before the function was loaded",
  protocol_violation: "Cannot go on with the function: it sent what is no frame",
  function_error: "Function failed: Error: broken",
  delivery_failed: "Cannot deliver: the answer was 503",
  port_failed: "Cannot connect to port 8080: nobody listens there (connection refused)",
  unavailable: "Cannot start a container: the server shuts down",
  deadline_exceeded: "Cannot start a container: no answer within 30000 ms",
  function_timeout: "Function timed out after 30000 ms",
};
