import type { Context } from "hono";
import type { Logger } from "pino";
import { RateLimitError } from "./domain/errors.ts";
import { type Fail, logText, ownFailures, problemOf, problemResponse } from "./routes/problem.ts";
import { factsOf, routeOf } from "./routes/request-facts.ts";
import { requestIdOf } from "./routes/request-id.ts";

export interface RequestFailureOptions {
  readonly log: Logger;
  /** Told why a request was turned away with 429: its caller comes too often, or there is no room. */
  readonly onThrottled: (reason: "rate" | "capacity") => void;
}

/** Answers what failed: it is counted where it was turned away, and logged where it is a failure of the server's own. */
export function failWith({ log, onThrottled }: RequestFailureOptions): Fail {
  return (error, context, told = error) => {
    const response = problemResponse(told, context);
    const { status } = response;
    if (status === 429) onThrottled(error instanceof RateLimitError ? "rate" : "capacity");
    const { code } = problemOf(error);
    if (ownFailures.has(code)) {
      log.error({ ...aboutOf(context, response), code, error: logText(error) }, "request failed");
    }
    return response;
  };
}

function aboutOf(context: Context, response: Response): Record<string, unknown> {
  const { method } = context.req;
  const { status } = response;
  const requestId = requestIdOf(context);
  return { method, route: routeOf(context), status, requestId, ...factsOf(context, response) };
}
