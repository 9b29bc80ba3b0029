import type { ScheduleRow } from "../../../store/schedules.ts";
import type { Schedule, ScheduleDetail, ScheduleSpec } from "../../schema/schedule.ts";
import { RunletError } from "../errors.ts";
import { eventIdOf } from "./event-id.ts";
import { parseExpression } from "./expression.ts";

const shownDueTimes = 3;

/** A schedule as a list shows it. */
export function describe(row: ScheduleRow): Schedule {
  return {
    name: row.name,
    function: row.functionName,
    ...(row.qualifier !== null && { qualifier: row.qualifier }),
    expression: row.expression,
    timeZone: row.timeZone,
    contentType: row.contentType,
    ...(row.provisioned !== null && { provisioned: row.provisioned }),
    missedRuns: row.missedRuns as Schedule["missedRuns"],
    state: row.state as Schedule["state"],
    revisionId: row.revisionId,
    nextAtUs: dueTimes(row),
    ...(row.lastAtUs !== null && { last: lastOf(row, row.lastAtUs) }),
    ...(row.missedAtUs !== null && {
      lastMissed: { count: row.missedCount ?? 0, atUs: row.missedAtUs },
    }),
    createdAtUs: row.createdAtUs,
    updatedAtUs: row.updatedAtUs,
  };
}

/** A schedule with its event, if it queues one. */
export function describeWithEvent(row: ScheduleRow): ScheduleDetail {
  if (row.provisioned !== null) return describe(row);
  const text = row.event.toString("utf8");
  const event = isJson(row.contentType) ? (JSON.parse(text) as ScheduleDetail["event"]) : text;
  return { ...describe(row), event };
}

/** The event as it is sent: JSON, or the text itself; nothing where none is queued. @throws `invalid_argument`. */
export function eventBytes({
  event = {},
  contentType,
  provisioned,
}: Pick<ScheduleSpec, "event" | "contentType" | "provisioned">): Buffer {
  if (provisioned !== undefined) return Buffer.alloc(0);
  if (isJson(contentType)) return Buffer.from(JSON.stringify(event));
  if (typeof event === "string") return Buffer.from(event);
  throw new RunletError(
    "invalid_argument",
    `Cannot take the schedule: event: expected a string, since the content type is ${contentType}`,
  );
}

function isJson(contentType: string): boolean {
  return /[/+]json(?:;|$)/i.test(contentType);
}

function dueTimes(row: ScheduleRow): number[] {
  const expression = parseExpression(row);
  const times: number[] = [];
  let next = row.nextAtUs ?? undefined;
  while (next !== undefined && times.length < shownDueTimes) {
    times.push(next);
    next = expression.next(next);
  }
  return times;
}

function lastOf(row: ScheduleRow, dueAtUs: number): NonNullable<Schedule["last"]> {
  return {
    dueAtUs,
    ...(row.provisioned === null && { eventId: eventIdOf(row.name, dueAtUs) }),
    status: row.lastStatus as NonNullable<Schedule["last"]>["status"],
    ...(row.lastError !== null && { error: row.lastError }),
  };
}
