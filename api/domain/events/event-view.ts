import type { EventSummary } from "../../../store/event-row.ts";
import { traceIdOf } from "../../../store/trace-id.ts";
import type { Event } from "../../schema/event.ts";

/** An event as callers see it. */
export function toEvent(row: EventSummary): Event {
  const { id, functionName, bodyBytes, source, state, attempts, acceptedAtUs } = row;
  return {
    id,
    functionName,
    ...(row.qualifier !== null && { qualifier: row.qualifier }),
    ...(row.contentType !== null && { contentType: row.contentType }),
    bodyBytes,
    source,
    traceId: row.traceId ?? traceIdOf(id),
    state,
    attempts,
    acceptedAtUs,
    ...(state === "queued" && { nextAtUs: row.nextAtUs }),
    ...(row.endedAtUs !== null && { endedAtUs: row.endedAtUs }),
    ...(row.deadCondition !== null && { condition: row.deadCondition }),
    ...(row.errorCode !== null && {
      error: { code: row.errorCode, message: row.errorMessage ?? "" },
    }),
  };
}
