import type { Context } from "hono";
import { parentSpanOf, type Trace } from "../domain/trace.ts";

/** What handlers know of the trace that a request is part of, where requests are traced. */
interface TraceEnv {
  Variables: { trace: Trace | undefined };
}

/** Has a request be part of a trace, whatever its caller named. */
export function setTrace(context: Context, trace: Trace): void {
  (context as Context<TraceEnv>).set("trace", trace);
}

/** The trace that a request is part of, if any. */
export function traceOf(context: Context): Trace | undefined {
  return (
    (context as Context<TraceEnv>).get("trace") ?? parentSpanOf(context.req.header("traceparent"))
  );
}
