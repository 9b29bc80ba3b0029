import {
  columnOf,
  type InvocationKind,
  type InvocationStatus,
  type RecordedExitReason,
  selectList,
} from "./invocation-row.ts";

/** Which invocations a page shows: those that match all that is given and are older than `before`. */
export interface InvocationFilter {
  readonly functionName?: string;
  readonly status?: InvocationStatus;
  readonly kind?: InvocationKind;
  readonly exitReason?: RecordedExitReason;
  /** The cursor: an id, usually that of the last row of the page before. It need not exist any more. */
  readonly before?: string;
  readonly limit: number;
}

const filters = ["functionName", "status", "kind", "exitReason"] as const;

/** The statement of a page, newest first, and its values; there are as many texts as kinds of filters. */
export function pageQuery(filter: InvocationFilter): { sql: string; values: (string | number)[] } {
  const conditions: string[] = [];
  const values: (string | number)[] = [];
  for (const field of filters) {
    const value = filter[field];
    if (value === undefined) continue;
    conditions.push(`${columnOf(field)} = ?`);
    values.push(value);
  }
  // SQLite uses a partial index only for a query that repeats the index's own condition.
  if ((filter.status ?? "succeeded") !== "succeeded") conditions.push("status <> 'succeeded'");
  if ((filter.kind ?? "invoke") !== "invoke") conditions.push("kind <> 'invoke'");
  if ((filter.exitReason ?? "exited") !== "exited") conditions.push("exit_reason <> 'exited'");
  if (filter.before !== undefined) {
    conditions.push("id < ?");
    values.push(filter.before);
  }
  values.push(filter.limit);
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const sql = `SELECT ${summaryColumns} FROM invocations ${where} ORDER BY id DESC LIMIT ?`;
  return { sql, values };
}

const summaryColumns = selectList({ withOutput: false });
