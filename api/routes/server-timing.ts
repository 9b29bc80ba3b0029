import { stagesOf } from "../domain/stages.ts";
import type { Invocation } from "../schema/invocation.ts";

/** The stages of an invocation as the Server-Timing header has them, in milliseconds. */
export function serverTiming(record: Invocation): string {
  return stagesOf(record)
    .map(([stage, us]) => `${stage};dur=${(us / 1000).toFixed(3)}`)
    .join(", ");
}
