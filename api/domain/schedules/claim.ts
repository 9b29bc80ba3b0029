import type { ScheduleClaim, ScheduleRow } from "../../../store/schedules.ts";
import { parseExpression } from "./expression.ts";

/** Missed due times are counted up to this many. */
const maxCounted = 1_000;

/**
 * What becomes of a schedule that is due: a run in time; or, where its due time passed more than `lateAfterUs`
 * ago, what it says of missed runs. Whatever passed meanwhile, it is run once at most.
 */
export function claimOf(row: ScheduleRow, nowUs: number, lateAfterUs: number): ScheduleClaim {
  const dueAtUs = row.nextAtUs ?? nowUs;
  const expression = parseExpression(row);
  let passed = 0;
  let nextAtUs: number | undefined = dueAtUs;
  while (nextAtUs !== undefined && nextAtUs <= nowUs && passed < maxCounted) {
    passed++;
    nextAtUs = expression.next(nextAtUs);
  }
  if (nextAtUs !== undefined && nextAtUs <= nowUs) nextAtUs = expression.next(nowUs);
  const isLate = nowUs - dueAtUs > lateAfterUs;
  return {
    name: row.name,
    nextAtUs: nextAtUs ?? null,
    runAtUs: isLate && row.missedRuns === "skip" ? null : dueAtUs,
    missedCount: isLate ? passed : passed - 1,
    atUs: nowUs,
  };
}
