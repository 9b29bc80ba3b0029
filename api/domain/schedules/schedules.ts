import { randomUUID } from "node:crypto";
import { nowUs } from "../../../runtime/clock.ts";
import type { ScheduleRow, ScheduleStore } from "../../../store/schedules.ts";
import type {
  Schedule,
  ScheduleDetail,
  ScheduleFilter,
  ScheduleSpec,
} from "../../schema/schedule.ts";
import { assertCondition, type Condition } from "../condition.ts";
import { RunletError } from "../errors.ts";
import type { Concurrency } from "../concurrency.ts";
import type { Functions } from "../functions.ts";
import { type Page, pageOf } from "../page.ts";
import { describe, describeWithEvent, eventBytes } from "./description.ts";
import { parseExpression } from "./expression.ts";
import type { ScheduleClock } from "./schedule-clock.ts";

export interface SchedulesOptions {
  store: ScheduleStore;
  functions: Functions;
  concurrency: Concurrency;
  clock: ScheduleClock;
}

/** The schedules: stating, showing, pausing, deleting. */
export class Schedules {
  readonly #options: SchedulesOptions;

  constructor(options: SchedulesOptions) {
    this.#options = options;
  }

  /**
   * Makes a schedule or replaces what it says; a paused one stays paused.
   * @throws `invalid_argument` that names the field; `not_found` for a function that does not exist; `condition_not_met`;
   * what {@link Concurrency.requireProvisionable} throws.
   */
  put(
    name: string,
    spec: ScheduleSpec,
    condition: Condition = {},
  ): { schedule: ScheduleDetail; created: boolean } {
    const { store, functions, concurrency } = this.#options;
    functions.resolve(spec.function, spec.qualifier);
    if (spec.provisioned !== undefined) concurrency.requireProvisionable(spec.function);
    const stated = statedBy(spec);
    const known = store.get(name);
    assertCondition(`schedule ${name}`, known?.revisionId, condition);
    if (known === undefined || !says(known, stated)) {
      const isTimeKept = known?.expression === spec.expression && known.timeZone === spec.timeZone;
      const atUs = nowUs();
      const anchoredAtUs = isTimeKept ? known.anchoredAtUs : atUs;
      const nextAtUs = isTimeKept ? known.nextAtUs : firstOf({ ...stated, anchoredAtUs }, atUs);
      this.#write({
        ...blank,
        ...known,
        ...stated,
        name,
        anchoredAtUs,
        nextAtUs: known?.state === "paused" ? null : nextAtUs,
        revisionId: randomUUID(),
        createdAtUs: known?.createdAtUs ?? atUs,
        updatedAtUs: atUs,
      });
    }
    return { schedule: this.get(name), created: known === undefined };
  }

  /** @throws `not_found`. */
  get(name: string): ScheduleDetail {
    return describeWithEvent(this.#find(name));
  }

  /** A page by name. */
  list({ limit, after, function: functionName }: ScheduleFilter): Page<Schedule> {
    const rows = this.#options.store.list({ limit: limit + 1, after, functionName });
    return pageOf(rows, limit, { item: describe, cursor: ({ name }) => name });
  }

  /** Deletes a schedule; events that it handed over run. @throws `not_found`, `condition_not_met`. */
  remove(name: string, condition: Condition = {}): void {
    assertCondition(`schedule ${name}`, this.#find(name).revisionId, condition);
    this.#options.store.delete(name);
    this.#options.clock.rearm();
  }

  /** Lets due times pass until it is resumed; they do not count as missed. @throws `not_found`. */
  pause(name: string): ScheduleDetail {
    return this.#turn(name, "paused", () => null);
  }

  /** Comes due again from now on. @throws `not_found`. */
  resume(name: string): ScheduleDetail {
    return this.#turn(name, "active", (row) => parseExpression(row).next(nowUs()) ?? null);
  }

  /**
   * Hands it over now, also while it is paused, and answers the id of its event; its due times stay as they are.
   * @throws `not_found`; `failed_precondition` where it queues none; what the acceptance of an event throws.
   */
  async run(name: string): Promise<string> {
    const row = this.#find(name);
    if (row.provisioned === null) return await this.#options.clock.run(row);
    throw new RunletError(
      "failed_precondition",
      `Cannot run schedule ${name}: it queues no event. Provision with PUT /v1/functions/${row.functionName}/concurrency`,
    );
  }

  #turn(
    name: string,
    state: ScheduleDetail["state"],
    next: (row: ScheduleRow) => number | null,
  ): ScheduleDetail {
    const row = this.#find(name);
    if (row.state !== state) {
      const nextAtUs = next(row);
      this.#write({ ...row, state, nextAtUs, revisionId: randomUUID(), updatedAtUs: nowUs() });
    }
    return this.get(name);
  }

  #write(row: ScheduleRow): void {
    this.#options.store.put(row);
    this.#options.clock.rearm();
  }

  #find(name: string): ScheduleRow {
    const row = this.#options.store.get(name);
    if (row === undefined) throw missing(name);
    return row;
  }
}

/** What no run and no change has touched yet. */
const blank = {
  state: "active",
  lastAtUs: null,
  lastStatus: null,
  lastError: null,
  missedAtUs: null,
  missedCount: null,
} as const;

/** What of a row is as its owner states it. */
function statedBy(spec: ScheduleSpec) {
  const { provisioned } = spec;
  return {
    functionName: spec.function,
    qualifier: spec.qualifier ?? null,
    expression: spec.expression,
    timeZone: spec.timeZone,
    // What a stock is to be, it is to be also where the time of an event has passed.
    missedRuns: spec.missedRuns ?? (provisioned === undefined ? "skip" : "run-once"),
    contentType: spec.contentType,
    provisioned: provisioned ?? null,
    event: eventBytes(spec),
  } satisfies Partial<ScheduleRow>;
}

function says(
  row: ScheduleRow,
  { event, ...stated }: Partial<ScheduleRow> & { event: Buffer },
): boolean {
  return (
    Object.entries({ ...row, ...stated }).every(
      ([key, value]) => row[key as keyof ScheduleRow] === value,
    ) && event.equals(row.event)
  );
}

/** The first due time of what is stated anew. @throws `invalid_argument`. */
function firstOf(stated: Parameters<typeof parseExpression>[0], atUs: number): number {
  const first = parseExpression(stated).next(atUs);
  if (first !== undefined) return first;
  throw new RunletError(
    "invalid_argument",
    `Cannot take the schedule: expression: "${stated.expression}" never comes due`,
  );
}

function missing(name: string): RunletError {
  return new RunletError(
    "not_found",
    `Cannot find schedule ${name}: it does not exist. List what there is with GET /v1/schedules`,
  );
}
