import { setImmediate as nextTurn } from "node:timers/promises";
import { Timeline } from "../../runtime/clock.ts";
import { untilAborted } from "../../runtime/deadline.ts";
import type { OutputListener } from "../../runtime/container/stdio/capture.ts";
import type { Account, Permit, Scheduler } from "../../runtime/pool/scheduler.ts";
import type { RecordWriter } from "../../store/batch.ts";
import {
  blankInvocation,
  type InvocationRow,
  type InvocationSummary,
  type NewInvocation,
} from "../../store/invocation-row.ts";
import type { InvocationStore } from "../../store/invocations.ts";
import { traceIdOf } from "../../store/trace-id.ts";
import type { EventDetail } from "../schema/event.ts";
import type { Invocation, InvocationDetail, InvocationFilter } from "../schema/invocation.ts";
import { RunletError } from "./errors.ts";
import { idsFrom, newInvocationId } from "./invocation-id.ts";
import type { FailureAbout, OnError } from "./on-error.ts";
import type { OutputFeed } from "./output-feed.ts";
import { asFailure, type OnContainer, type Outcome } from "./outcome.ts";
import type { Page } from "./page.ts";
import { exitPatch, outcomePatch, toInvocation, toInvocationDetail } from "./record.ts";
import { untilWritten } from "./until-written.ts";

export interface InvocationsOptions {
  store: InvocationStore;
  writer: RecordWriter;
  scheduler: Scheduler;
  feed: OutputFeed;
  /** Told of what goes wrong after the answer, when no caller is there to be told. */
  onError: OnError;
  /** Told of each invocation once it is on record. */
  onFinished: (record: Invocation) => void;
}

/** What is known of an invocation before it runs. */
export type InvocationFacts = Pick<NewInvocation, "kind"> & Partial<NewInvocation>;

/** An invocation, as its work sees it. */
export interface RunContext {
  readonly id: string;
  /** How long it waited for room, in microseconds. */
  readonly queueUs: number;
  /** Ends the work when it aborts. */
  readonly signal: AbortSignal;
  /** To be told of all output as it comes. */
  readonly onOutput: OutputListener;
  /** To be told of the container: that is what is on record where the server dies with it. */
  readonly onContainer: OnContainer;
}

/** The work of one invocation; it answers with an outcome whether it comes to its end or is cancelled. */
export type Work<T extends Outcome> = (run: RunContext) => Promise<T>;

/** An invocation that has come to its end, well or not. */
export interface Finished<T extends Outcome = Outcome> {
  readonly record: Invocation;
  /** What the work came to; only the common facts where it threw. */
  readonly outcome: T | Outcome;
}

/** What bounds the invocations of one function. */
export interface Bounds {
  /** The function's own bound, where it has one. */
  readonly gate?: Scheduler | undefined;
  /** How many of the function may wait; the machine's bounds hold beside it. */
  readonly queueLimit?: number | undefined;
}

/** On what terms an invocation waits for room. */
export interface Admission<T extends Outcome> extends Bounds {
  readonly signal: AbortSignal;
  /** Whether nobody waits for it: then it lets those go first that somebody waits for. */
  readonly isBackground?: boolean;
  readonly onRecord?: OnRecord<T> | undefined;
}

/** Runs in the transaction of the record, and must not throw: it would undo the record. */
export type OnRecord<T extends Outcome = Outcome> = (finished: Finished<T>) => void;

interface Run<T extends Outcome> {
  readonly work: Work<T>;
  readonly onRecord: OnRecord<T> | undefined;
  readonly cancel: AbortController;
  readonly signal: AbortSignal;
  readonly permit: Permit;
  readonly timeline: Timeline;
}

interface Live {
  /** What is on record of it, or will be soon. */
  readonly row: StartedInvocation;
  readonly cancel: AbortController;
  readonly settled: Promise<unknown>;
}

type StartedInvocation = NewInvocation & { readonly queueUs: number };

/** An invocation that is put on record while it runs, unless it ends before. */
interface Opened extends Disposable {
  readonly isOnRecord: boolean;
}

/** How long an invocation runs before it is on record as running. */
const openAfterMs = 20;

/** Every call and every execution, running or past: admission, record, cancelling. */
export class Invocations {
  readonly #options: InvocationsOptions;
  readonly #live = new Map<string, Live>();
  readonly #afterwork = new Set<Promise<unknown>>();

  constructor(options: InvocationsOptions) {
    this.#options = options;
  }

  /**
   * Runs work when there is room for it, at the gate first where one is given, and puts it on record before
   * it returns; a failure is an outcome. Functions take turns where many wait.
   * @throws `resource_exhausted` and the signal's reason if it never began: then there is no record.
   */
  async run<T extends Outcome>(
    facts: InvocationFacts,
    work: Work<T>,
    { signal, gate, queueLimit, isBackground = false, onRecord }: Admission<T>,
  ): Promise<Finished<T>> {
    const timeline = new Timeline();
    using passed = new DisposableStack();
    if (gate !== undefined) passed.use(await gate.acquire(signal, { key: "", isBackground }));
    const account = accountOf(facts.functionName, { queueLimit, isBackground });
    passed.use(await this.#options.scheduler.acquire(signal, account));
    const id = newInvocationId();
    const cancel = new AbortController();
    const { beganAtUs: queuedAtUs } = timeline;
    const startedAtUs = timeline.nowUs();
    const times = { queuedAtUs, startedAtUs, queueUs: startedAtUs - queuedAtUs };
    const row = { ...facts, id, status: "running", ...times } as const;
    const permit = passed.move();
    const settled = this.#recorded(row, { work, onRecord, cancel, signal, permit, timeline });
    this.#live.set(id, { row, cancel, settled: settled.catch(() => undefined) });
    let status: Invocation["status"] = "failed";
    try {
      const finished = await settled;
      status = finished.record.status;
      return finished;
    } finally {
      this.#live.delete(id);
      this.#options.feed.end(row, status);
    }
  }

  /** Why {@link run} would refuse a function's invocation at once, if it would. */
  refusalOf(functionName: string, { gate, queueLimit }: Bounds): RunletError | undefined {
    return (
      gate?.refusalOf() ??
      this.#options.scheduler.refusalOf(accountOf(functionName, { queueLimit }))
    );
  }

  /** A page, newest first. */
  list(filter: InvocationFilter): Page<Invocation> {
    const { since, until, before, minDurationMs } = filter;
    const below = [before, until === undefined ? undefined : idsFrom(until)];
    const [first] = below.filter((id) => id !== undefined).sort();
    const { rows, next } = this.#options.store.page({
      limit: filter.limit,
      ...(filter.function !== undefined && { functionName: filter.function }),
      ...(filter.qualifier !== undefined && { qualifier: filter.qualifier }),
      ...(filter.status !== undefined && { status: filter.status }),
      ...(filter.reason !== undefined && { exitReason: filter.reason }),
      ...(filter.kind !== undefined && { kind: filter.kind }),
      ...(filter.traceId !== undefined && { traceId: filter.traceId }),
      ...(minDurationMs !== undefined && { minRunUs: minDurationMs * 1000 }),
      ...(since !== undefined && { since: idsFrom(since) }),
      ...(first !== undefined && { before: first }),
    });
    return { items: rows.map(toInvocation), ...(next !== undefined && { next }) };
  }

  /** The invocations that were made for an event, oldest first, at most 200. */
  ofEvent(eventId: string): EventDetail["invocations"] {
    return this.#options.store
      .page({ eventId, limit: 200 })
      .rows.map(toInvocation)
      .toReversed()
      .map(({ id: invocationId, status, attempt, queuedAtUs, finishedAtUs }) => ({
        invocationId,
        status,
        queuedAtUs,
        ...(attempt !== undefined && { attempt }),
        ...(finishedAtUs !== undefined && { finishedAtUs }),
      }));
  }

  /** @throws `not_found`. */
  get(id: string): InvocationDetail {
    const row = this.#find(id);
    if (row === undefined) {
      throw new RunletError("not_found", `Cannot find invocation ${id}: it is not on record`);
    }
    return toInvocationDetail(row);
  }

  /** The version that an invocation on record is of; undefined for what is none, or no longer there. */
  versionOf(id: string): number | undefined {
    return this.#find(id)?.functionVersion ?? undefined;
  }

  /** Whether an invocation runs now. */
  isRunning(id: string): boolean {
    return this.#live.has(id);
  }

  /** Cancels a running invocation and waits for its end. @throws `not_found`, `failed_precondition`. */
  async cancel(id: string, signal?: AbortSignal): Promise<InvocationDetail> {
    const live = this.#live.get(id);
    if (live === undefined) {
      const { status } = this.get(id);
      throw new RunletError(
        "failed_precondition",
        `Cannot cancel invocation ${id}: it is ${status} already`,
      );
    }
    live.cancel.abort(new RunletError("cancelled", "Invocation was cancelled"));
    await untilAborted(live.settled, signal);
    return this.get(id);
  }

  /** Cancels everything that runs, with the reason given. */
  cancelAll(reason: string): void {
    for (const live of this.#live.values()) live.cancel.abort(new RunletError("cancelled", reason));
  }

  /** Resolves once nothing runs and the last record is complete. */
  async idle(): Promise<void> {
    await this.#options.scheduler.idle();
    await Promise.all(this.#afterwork);
  }

  /** An invocation on record, or one that runs and whose caller has been told its id already. */
  #find(id: string): InvocationRow | undefined {
    const row = this.#options.store.get(id);
    if (row !== undefined) return row;
    const live = this.#live.get(id);
    return live && { ...blankInvocation, ...live.row };
  }

  async #recorded<T extends Outcome>(
    started: StartedInvocation,
    run: Run<T>,
  ): Promise<Finished<T>> {
    const { store, writer } = this.#options;
    const { timeline } = run;
    const opened = this.#open(started);
    const outcome = await this.#work(started, opened, run);
    const patch = outcomePatch(outcome, timeline);
    const { stdout, stderr, ...summary } = { ...blankInvocation, ...started, ...patch };
    const recordUs = (): number => timeline.nowUs() - patch.finishedAtUs;
    opened[Symbol.dispose]();
    try {
      await writer.write(() => {
        if (opened.isOnRecord) store.update(summary.id, { ...patch, recordUs: recordUs() });
        else store.insert({ ...summary, stdout, stderr, recordUs: recordUs() });
        run.onRecord?.({ record: toInvocation(summary), outcome });
      });
    } catch (error) {
      const failure = asFailure(error);
      if (opened.isOnRecord) void this.#endLate(summary, failure);
      throw failure;
    } finally {
      this.#track(this.#end(summary.id, outcome, run), started);
    }
    const record = toInvocation({ ...summary, recordUs: recordUs() });
    this.#options.onFinished(record);
    return { record, outcome };
  }

  /**
   * Ends an invocation on record whose end could not be written when it came: it has failed with what its caller was
   * told, and without its output, which many of them would fill the memory with.
   */
  async #endLate(ended: InvocationSummary, failure: RunletError): Promise<void> {
    const { store, writer, onFinished } = this.#options;
    const onError = (error: unknown): void => this.#options.onError(error, aboutOf(ended));
    const { finishedAtUs, runUs, stdoutBytes, stderrBytes } = ended;
    const { code, message } = failure;
    const cut = { stdoutTruncated: stdoutBytes > 0, stderrTruncated: stderrBytes > 0 };
    const errorMessage = `It ran, but its end and output could not be kept: ${message}`;
    const end = { status: "failed", errorCode: code, errorMessage, ...cut } as const;
    const patch = { finishedAtUs, runUs, stdoutBytes, stderrBytes, ...end };
    try {
      await untilWritten(async () => await writer.write(() => store.update(ended.id, patch)), {
        onError,
      });
      onFinished(toInvocation({ ...ended, ...patch }));
    } catch (error) {
      onError(error);
    }
  }

  /** Puts an invocation on record that is still running after a moment; a shorter one is written once. */
  #open(row: NewInvocation): Opened {
    const { store, writer, onError } = this.#options;
    let isOnRecord = false;
    const write = (): void => {
      store.insert(row);
      isOnRecord = true;
    };
    const onFailed = (error: unknown): void => {
      isOnRecord = false;
      onError(error, aboutOf(row));
    };
    const timer = setTimeout(() => void writer.write(write).catch(onFailed), openAfterMs);
    return {
      get isOnRecord(): boolean {
        return isOnRecord;
      },
      [Symbol.dispose]: () => clearTimeout(timer),
    };
  }

  /** Adds to what is known of a running invocation: mostly before it is on record, which costs no write then. */
  #add(row: StartedInvocation, { isOnRecord }: Opened, known: Partial<NewInvocation>): void {
    Object.assign(row, known);
    if (!isOnRecord) return;
    const { store, writer, onError } = this.#options;
    writer
      .write(() => store.update(row.id, known))
      .catch((error: unknown) => onError(error, aboutOf(row)));
  }

  async #work<T extends Outcome>(
    row: StartedInvocation,
    opened: Opened,
    run: Run<T>,
  ): Promise<T | Outcome> {
    const { work, cancel, signal } = run;
    const forward = (): void => {
      cancel.abort(new RunletError("cancelled", "Invocation was cancelled: its caller went away"));
    };
    const onOutput: OutputListener = (...output) => this.#options.feed.publish(row, ...output);
    const onContainer: OnContainer = ({ containerId, start: startKind = null, takeUs = null }) =>
      this.#add(row, opened, { containerId, startKind, takeUs });
    signal.addEventListener("abort", forward, { once: true });
    if (signal.aborted) forward();
    try {
      const { id, queueUs } = row;
      return await work({ id, queueUs, signal: cancel.signal, onOutput, onContainer });
    } catch (error) {
      const failure = asFailure(error);
      if (failure.code === "internal") this.#options.onError(error, aboutOf(row));
      return { failure };
    } finally {
      signal.removeEventListener("abort", forward);
    }
  }

  /**
   * Where the container ends after the answer, its exit is added to the record then. Its slot is free before
   * that unless somebody waits for one: then there are never more containers than slots. It ends at once, too,
   * where there was nothing in stock that a pause would be good for.
   */
  async #end<T extends Outcome>(
    id: string,
    { end, exit: known, start }: Outcome,
    { permit, timeline }: Run<T>,
  ): Promise<void> {
    using slot = permit;
    if (end === undefined) return;
    const { store, writer, scheduler } = this.#options;
    const isWaitedFor = scheduler.waiting > 0;
    if (!isWaitedFor) slot[Symbol.dispose]();
    // The answer leaves first.
    await nextTurn();
    const exit = await end(isWaitedFor || start === "cold");
    if (known !== undefined) return;
    const write = async (): Promise<unknown> =>
      await writer.write(() => store.update(id, exitPatch(exit, timeline)));
    // Its slot is not held for this, nor is the end of the server.
    const onError = (error: unknown): void => this.#options.onError(error, { invocationId: id });
    void untilWritten(write, { onError }).catch(onError);
  }

  #track(task: Promise<unknown>, row: NewInvocation): void {
    const tracked = task
      .catch((error: unknown) => this.#options.onError(error, aboutOf(row)))
      .finally(() => this.#afterwork.delete(tracked));
    this.#afterwork.add(tracked);
  }
}

function accountOf(functionName: string | null | undefined, terms: Omit<Account, "key">): Account {
  return { key: functionName ?? "", ...terms };
}

function aboutOf({ id, functionName, traceId }: NewInvocation): FailureAbout {
  return { invocationId: id, functionName, traceId: traceId ?? traceIdOf(id) };
}
