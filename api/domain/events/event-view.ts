import type { EventFilter, EventSummary } from "../../../store/event-row.ts";
import { traceIdOf } from "../../../store/trace-id.ts";
import type { Event } from "../../schema/event.ts";
import { withoutNulls } from "../nulls.ts";
import { type Page, pageOf } from "../page.ts";
import type { EventQueue } from "./event-queue.ts";

/** An event as callers see it. */
export function toEvent(row: EventSummary): Event {
  const { id, kind, functionName, bodyBytes, source, state, attempts, acceptedAtUs } = row;
  const { qualifier, contentType, endedAtUs, deadCondition: condition, errorCode: code } = row;
  const { callback } = row;
  return {
    id,
    kind,
    functionName,
    bodyBytes,
    source,
    traceId: row.traceId ?? traceIdOf(id),
    state,
    attempts,
    acceptedAtUs,
    ...withoutNulls({ qualifier, contentType, endedAtUs, condition }),
    ...(callback !== null && { callback }),
    ...(state === "queued" && { nextAtUs: row.nextAtUs }),
    ...(code !== null && { error: { code, message: row.errorMessage ?? "" } }),
  };
}

/** A page of events as callers see it. */
export async function eventPage(queue: EventQueue, filter: EventFilter): Promise<Page<Event>> {
  const { limit } = filter;
  const rows = await queue.list({ ...filter, limit: limit + 1 });
  return pageOf(rows, limit, { item: toEvent, cursor: ({ id }) => id });
}
