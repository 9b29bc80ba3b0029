import type { Invocation } from "../schema/invocation.ts";

/** The stages of an invocation as the Server-Timing header has them, in milliseconds. */
export function serverTiming(record: Invocation): string {
  const stages = {
    queue: record.queueUs,
    take: record.takeUs,
    init: record.initUs,
    run: record.runUs,
  };
  return Object.entries(stages)
    .filter(([, us]) => us !== undefined)
    .map(([stage, us]) => `${stage};dur=${((us ?? 0) / 1000).toFixed(3)}`)
    .join(", ");
}
