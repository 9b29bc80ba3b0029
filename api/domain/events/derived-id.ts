import { createHash } from "node:crypto";
import { idsFrom } from "../invocation-id.ts";

/**
 * The id of an event that follows from something else: a UUID v7 of a moment, microseconds since the epoch, that
 * is the same whenever it is asked for, so that what is handed over again is queued once.
 */
export function derivedEventId(atUs: number, ...cause: readonly (string | number)[]): string {
  const digest = createHash("sha256").update(cause.join("\n")).digest("hex");
  const time = idsFrom(Math.floor(atUs / 1000));
  return `${time}-7${digest.slice(0, 3)}-8${digest.slice(3, 6)}-${digest.slice(6, 18)}`;
}
