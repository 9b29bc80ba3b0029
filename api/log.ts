import { type Logger, pino } from "pino";
import { ownFailures } from "./routes/problem.ts";
import type { Invocation } from "./schema/invocation.ts";

/** The log of a server: JSON lines on standard error, so that standard output stays free. */
export function createLog(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}

/** Logs an invocation that failed by no doing of its function, which for an event is nobody's request. */
export function logFailure(log: Logger, record: Invocation): void {
  const { id: invocationId, functionName, functionVersion, containerId } = record;
  const { traceId, eventId, error } = record;
  // What nobody expected is told with its stack where it happened.
  if (error === undefined || error.code === "internal" || !ownFailures.has(error.code)) return;
  const about = { invocationId, functionName, functionVersion, containerId, traceId, eventId };
  log.error({ ...about, code: error.code, error: error.message }, "invocation failed");
}
