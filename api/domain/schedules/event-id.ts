import { createHash } from "node:crypto";

/**
 * The id of the event of one due time, microseconds since the epoch: a UUID v7 that is the same whenever it is
 * asked for, so that a due time that is handed over again is queued once.
 */
export function eventIdOf(scheduleName: string, dueAtUs: number): string {
  const time = Math.floor(dueAtUs / 1000)
    .toString(16)
    .padStart(12, "0");
  const digest = createHash("sha256").update(`${scheduleName}\n${dueAtUs}`).digest("hex");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digest.slice(0, 3)}-8${digest.slice(3, 6)}-${digest.slice(6, 18)}`;
}
