import {
  columnOf,
  type InvocationKind,
  type InvocationStatus,
  type RecordedExitReason,
  selectList,
} from "./invocation-row.ts";

/** Which invocations a page shows: those that match all that is given. */
export interface InvocationFilter {
  readonly functionName?: string;
  /** The alias or the version that the caller named. */
  readonly qualifier?: string;
  readonly status?: InvocationStatus;
  readonly kind?: InvocationKind;
  readonly exitReason?: RecordedExitReason;
  /** The trace that the caller named. */
  readonly traceId?: string;
  /** The event that it was an attempt at. */
  readonly eventId?: string;
  /** Runs that took so long or longer. */
  readonly minRunUs?: number;
  /** An id, or the start of one, that none is below: ids are in the order of time. */
  readonly since?: string;
  /** The cursor: an id, or the start of one, that all are below. It need not be on record. */
  readonly before?: string;
  readonly limit: number;
}

/** A statement with its values. */
export interface Query {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

const equalities = [
  "eventId",
  "traceId",
  "functionName",
  "qualifier",
  "status",
  "kind",
  "exitReason",
] as const;
type Equality = (typeof equalities)[number];

interface Index {
  readonly name: string;
  readonly fields: readonly Equality[];
  /** The field of which the index leaves out the common word. */
  readonly rare?: Equality;
}

/** Best first: a page walks the first that holds what the filter asks for. */
const indexes: readonly Index[] = [
  { name: "invocations_by_event", fields: ["eventId"] },
  { name: "invocations_by_trace", fields: ["traceId"] },
  {
    name: "invocations_by_function_status",
    fields: ["functionName", "status"],
    rare: "status",
  },
  {
    name: "invocations_by_function_exit_reason",
    fields: ["functionName", "exitReason"],
    rare: "exitReason",
  },
  { name: "invocations_by_kind_status", fields: ["kind", "status"], rare: "status" },
  { name: "invocations_by_function", fields: ["functionName"] },
  { name: "invocations_by_status", fields: ["status"], rare: "status" },
  { name: "invocations_by_exit_reason", fields: ["exitReason"], rare: "exitReason" },
  { name: "invocations_by_kind", fields: ["kind"], rare: "kind" },
];
const everything: Index = { name: "sqlite_autoindex_invocations_1", fields: [] };

const common: Partial<Readonly<Record<Equality, string>>> = {
  status: "succeeded",
  kind: "invoke",
  exitReason: "exited",
};

/** The statement of a page, newest first; there are as many texts as kinds of filters. */
export function pageQuery(filter: InvocationFilter): Query {
  const walk = walkOf(filter);
  const rest = equalities.filter((field) => !walk.fields.includes(field));
  const { conditions, values } = matching(filter, [...walk.fields, ...rest]);
  if (filter.minRunUs !== undefined) {
    conditions.push("run_us >= ?");
    values.push(filter.minRunUs);
  }
  const sql = `SELECT ${summaryColumns} ${from(walk.name, conditions)} ORDER BY id DESC LIMIT ?`;
  return { sql, values: [...values, filter.limit] };
}

/**
 * The statement of the oldest id among the `rows` newest that a page looks at; it has no row where there are fewer.
 * Undefined for a filter whose index leads to matches only.
 */
export function horizonQuery(filter: InvocationFilter, rows: number): Query | undefined {
  const walk = walkOf(filter);
  const isExact =
    filter.minRunUs === undefined &&
    equalities.every((field) => filter[field] === undefined || walk.fields.includes(field));
  if (isExact) return undefined;
  const { conditions, values } = matching(filter, walk.fields);
  const sql = `SELECT id ${from(walk.name, conditions)} ORDER BY id DESC LIMIT 1 OFFSET ?`;
  return { sql, values: [...values, rows - 1] };
}

function walkOf(filter: InvocationFilter): Index {
  const holds = ({ fields, rare }: Index): boolean =>
    fields.every((field) => filter[field] !== undefined) &&
    (rare === undefined || filter[rare] !== common[rare]);
  return indexes.find(holds) ?? everything;
}

/** The conditions of some fields and of the range of ids. */
function matching(
  filter: InvocationFilter,
  fields: readonly Equality[],
): { conditions: string[]; values: (string | number)[] } {
  const conditions: string[] = [];
  const values: (string | number)[] = [];
  const add = (condition: string, value: string | undefined): void => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  for (const field of fields) {
    const value = filter[field];
    add(`${columnOf(field)} = ?`, value);
    // SQLite uses a partial index only for a query that repeats the index's own condition.
    const word = common[field];
    if (value !== undefined && word !== undefined && value !== word) {
      conditions.push(`${columnOf(field)} <> '${word}'`);
    }
  }
  add("id >= ?", filter.since);
  add("id < ?", filter.before);
  return { conditions, values };
}

/** The index is named lest SQLite should walk another one, of which the horizon says nothing. */
function from(index: string, conditions: readonly string[]): string {
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  return `FROM invocations INDEXED BY ${index} ${where}`;
}

const summaryColumns = selectList({ withOutput: false });
