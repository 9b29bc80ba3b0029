import type { HttpBindings } from "@hono/node-server";
import type { MiddlewareHandler } from "hono";
import type { Logger } from "pino";
import { factsOf, type RequestFacts, routeOf } from "./routes/request-facts.ts";
import { requestIdOf } from "./routes/request-id.ts";
import { setTrace } from "./routes/trace.ts";
import type { Tracing } from "./tracing.ts";

export interface RequestWatchOptions {
  readonly log: Logger;
  readonly tracing: Tracing | undefined;
}

/** As nginx has it: who asked went away before there was an answer. */
const leftStatus = 499;

/**
 * Follows requests to the end of their answers, for a log line and a span each; undefined where neither is wanted,
 * so that requests pass nothing then.
 */
export function watchRequests({
  log,
  tracing,
}: RequestWatchOptions): MiddlewareHandler<{ Bindings: HttpBindings }> | undefined {
  if (tracing === undefined && !log.isLevelEnabled("debug")) return undefined;
  return async (context, next) => {
    const { method } = context.req;
    const { outgoing } = context.env;
    const startMs = performance.now();
    const span = tracing?.request(method, context.req.header("traceparent"));
    if (span !== undefined) setTrace(context, span.trace);
    let facts: RequestFacts = {};
    let hasEnded = false;
    const end = (status: number): void => {
      if (hasEnded) return;
      hasEnded = true;
      const route = routeOf(context);
      const ms = Math.round((performance.now() - startMs) * 1000) / 1000;
      const named = route === undefined ? { path: context.req.path } : { route };
      const requestId = requestIdOf(context);
      log.debug({ method, ...named, status, ms, requestId, ...facts }, "request");
      span?.end({ route, status, attributes: attributesOf(facts) });
    };
    outgoing.once("close", () => end(outgoing.headersSent ? outgoing.statusCode : leftStatus));
    await (span === undefined ? next() : span.run(next));
    facts = factsOf(context, context.res);
    // Whoever serves a connection that is no more one of HTTP has it for as long as it likes.
    if (outgoing.socket === null) end(101);
  };
}

function attributesOf(facts: RequestFacts): Record<string, string | undefined> {
  return {
    "runlet.key.id": facts.keyId,
    "runlet.function.name": facts.functionName,
    "runlet.sandbox.id": facts.sandboxId,
    "runlet.invocation.id": facts.invocationId,
  };
}
