import { type Logger, pino } from "pino";

/** The log of a server: JSON lines on standard error, so that standard output stays free. */
export function createLog(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
