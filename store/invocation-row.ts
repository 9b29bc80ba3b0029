/** A call of a function, an execution of a snippet, or the build of what a deployment depends on. */
export type InvocationKind = "invoke" | "execute" | "build";

/** Where an invocation stands. All but the first two are ends. */
export type InvocationStatus =
  | "queued"
  | "running"
  | "succeeded"
  | "failed"
  | "timed_out"
  | "cancelled"
  | "lost";

/** How an invocation got its container. */
export type StartKind = "cold" | "pooled" | "warm";

/** Why the container ended. */
export type RecordedExitReason =
  | "exited"
  | "signaled"
  | "timeout"
  | "oom"
  | "cancelled"
  | "lost"
  | "failed";

/** One invocation as it is on record. Every number is an integer; null is what is not known (yet). */
export interface InvocationRow {
  /** A UUID v7. */
  readonly id: string;
  readonly kind: InvocationKind;
  readonly functionName: string | null;
  readonly functionVersion: number | null;
  /** The alias or the version that its caller named. */
  readonly qualifier: string | null;
  readonly image: string | null;
  readonly runtime: string | null;
  /** The trace that the caller named, 32 hexadecimal digits; null where it named none: then the id is one. */
  readonly traceId: string | null;
  readonly status: InvocationStatus;
  readonly startKind: StartKind | null;
  readonly containerId: string | null;
  readonly exitCode: number | null;
  readonly exitSignal: string | null;
  readonly exitReason: RecordedExitReason | null;
  readonly queuedAtUs: number;
  readonly startedAtUs: number | null;
  readonly finishedAtUs: number | null;
  /** When the container ended, which may be after the answer. */
  readonly exitedAtUs: number | null;
  readonly queueUs: number | null;
  readonly takeUs: number | null;
  readonly initUs: number | null;
  readonly runUs: number | null;
  /** From the end of the run to the write of this row; the commit comes after it. */
  readonly recordUs: number | null;
  readonly eventBytes: number | null;
  readonly answerBytes: number | null;
  /** How much was written, kept or not. */
  readonly stdoutBytes: number;
  readonly stdoutTruncated: boolean;
  readonly stderrBytes: number;
  readonly stderrTruncated: boolean;
  readonly errorCode: string | null;
  readonly errorName: string | null;
  readonly errorMessage: string | null;
  readonly errorStack: string | null;
  /** The event that this is an attempt at, counted from 1. */
  readonly eventId: string | null;
  readonly attempt: number | null;
  /** What was kept of it. */
  readonly stdout: Uint8Array | null;
  readonly stderr: Uint8Array | null;
}

/** An invocation without its output. */
export type InvocationSummary = Omit<InvocationRow, "stdout" | "stderr">;

/** An invocation to put on record; what is left out is not known, or zero. */
export type NewInvocation = Pick<InvocationRow, "id" | "kind" | "status" | "queuedAtUs"> &
  Partial<InvocationRow>;

/** What is to change in an invocation; what is left out stays. */
export type InvocationPatch = Partial<Omit<InvocationRow, "id">>;

/** Every field of an invocation. */
export type InvocationField = keyof InvocationRow;

const columns: Readonly<Record<InvocationField, string>> = {
  id: "id",
  kind: "kind",
  functionName: "function_name",
  functionVersion: "function_version",
  qualifier: "qualifier",
  image: "image",
  runtime: "runtime",
  traceId: "trace_id",
  status: "status",
  startKind: "start_kind",
  containerId: "container_id",
  exitCode: "exit_code",
  exitSignal: "exit_signal",
  exitReason: "exit_reason",
  queuedAtUs: "queued_at_us",
  startedAtUs: "started_at_us",
  finishedAtUs: "finished_at_us",
  exitedAtUs: "exited_at_us",
  queueUs: "queue_us",
  takeUs: "take_us",
  initUs: "init_us",
  runUs: "run_us",
  recordUs: "record_us",
  eventBytes: "event_bytes",
  answerBytes: "answer_bytes",
  stdoutBytes: "stdout_bytes",
  stdoutTruncated: "stdout_truncated",
  stderrBytes: "stderr_bytes",
  stderrTruncated: "stderr_truncated",
  errorCode: "error_code",
  errorName: "error_name",
  errorMessage: "error_message",
  errorStack: "error_stack",
  eventId: "event_id",
  attempt: "attempt",
  stdout: "stdout",
  stderr: "stderr",
};

/** All fields, in the order of the columns. */
export const invocationFields = Object.keys(columns) as readonly InvocationField[];

/** The column of a field. @throws Error for any other name, so that no text of a caller gets into SQL. */
export function columnOf(field: InvocationField): string {
  if (!Object.hasOwn(columns, field)) {
    throw new Error(`Cannot use ${JSON.stringify(field)}: an invocation has no such field`);
  }
  return columns[field];
}

/** The select list that names each column by its field; without the output unless asked for. */
export function selectList(options: { withOutput: boolean }): string {
  return invocationFields
    .filter((field) => options.withOutput || (field !== "stdout" && field !== "stderr"))
    .map((field) => `${columnOf(field)} AS ${field}`)
    .join(", ");
}

/** An invocation of which nothing is known yet. */
export const blankInvocation: Omit<InvocationRow, "id" | "kind" | "status" | "queuedAtUs"> = {
  functionName: null,
  functionVersion: null,
  qualifier: null,
  image: null,
  runtime: null,
  traceId: null,
  startKind: null,
  containerId: null,
  exitCode: null,
  exitSignal: null,
  exitReason: null,
  startedAtUs: null,
  finishedAtUs: null,
  exitedAtUs: null,
  queueUs: null,
  takeUs: null,
  initUs: null,
  runUs: null,
  recordUs: null,
  eventBytes: null,
  answerBytes: null,
  errorCode: null,
  errorName: null,
  errorMessage: null,
  errorStack: null,
  eventId: null,
  attempt: null,
  stdout: null,
  stdoutBytes: 0,
  stdoutTruncated: false,
  stderr: null,
  stderrBytes: 0,
  stderrTruncated: false,
};

/** The value of a field as SQLite takes it. */
export function toSqlValue(
  value: InvocationRow[InvocationField],
): string | number | Uint8Array | null {
  return typeof value === "boolean" ? Number(value) : value;
}

/** An invocation as SQLite has it under the names of {@link selectList}, with flags as numbers. */
export type SqlInvocation<Row extends InvocationSummary> = Omit<
  Row,
  "stdoutTruncated" | "stderrTruncated"
> & { readonly stdoutTruncated: number; readonly stderrTruncated: number };

/** The invocation of a selected row. */
export function fromSql<Row extends InvocationSummary>(row: SqlInvocation<Row>): Row {
  return {
    ...row,
    stdoutTruncated: row.stdoutTruncated === 1,
    stderrTruncated: row.stderrTruncated === 1,
  } as unknown as Row;
}
