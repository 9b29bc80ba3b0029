import { stagesOf, type Times } from "../domain/stages.ts";

/** The stages of an invocation as the Server-Timing header has them, in milliseconds. */
export function serverTiming(times: Times): string {
  return stagesOf(times)
    .map(([stage, us]) => `${stage};dur=${(us / 1000).toFixed(3)}`)
    .join(", ");
}
