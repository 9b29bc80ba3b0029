import { derivedEventId } from "../events/derived-id.ts";

/** The id of the event of one due time, microseconds since the epoch: the same whenever it is asked for. */
export function eventIdOf(scheduleName: string, dueAtUs: number): string {
  return derivedEventId(dueAtUs, scheduleName, dueAtUs);
}
