import type { EventFilter, EventSummary } from "../../../store/event-row.ts";
import { traceIdOf } from "../../../store/trace-id.ts";
import type { Event } from "../../schema/event.ts";
import type { EventQueue } from "./event-queue.ts";

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

/** A page of events as callers see it. */
export async function eventPage(
  queue: EventQueue,
  filter: EventFilter,
): Promise<{ items: Event[]; next?: string }> {
  const { limit } = filter;
  const rows = await queue.list({ ...filter, limit: limit + 1 });
  const items = rows.slice(0, limit).map(toEvent);
  const last = items.at(-1);
  return rows.length > limit && last ? { items, next: last.id } : { items };
}
