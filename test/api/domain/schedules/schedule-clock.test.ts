import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ScheduleClock,
  type ScheduledCall,
} from "../../../../api/domain/schedules/schedule-clock.ts";
import { eventIdOf } from "../../../../api/domain/schedules/event-id.ts";
import { messageOf, RunletError } from "../../../../runtime/errors.ts";
import { nowUs } from "../../../../runtime/clock.ts";
import { poll } from "../../../../runtime/deadline.ts";
import { openDatabase } from "../../../../store/database.ts";
import { type ScheduleRow, ScheduleStore } from "../../../../store/schedules.ts";
import { TempDirectory } from "../../../store/temp-directory.ts";

const secondUs = 1_000_000;
const hourUs = 3_600 * secondUs;

test("a due time in time is handed over once, with what the schedule says", async () => {
  await using it = new Opened();
  const dueAtUs = nowUs() + 50_000;
  it.startWith({ name: "soon", nextAtUs: dueAtUs });
  await it.handedOver(1);
  assert.deepEqual(it.calls, [
    {
      scheduleName: "soon",
      dueAtUs,
      eventId: eventIdOf("soon", dueAtUs),
      functionName: "f",
      qualifier: undefined,
      event: Buffer.from("{}"),
      contentType: "application/json",
      provisioned: undefined,
    },
  ]);
  const row = await it.settled("soon");
  assert.equal(row.lastStatus, "accepted");
  assert.equal(row.lastAtUs, dueAtUs);
  assert.ok((row.nextAtUs ?? 0) > nowUs());
  assert.equal(row.missedCount, null);
});

test("one timer serves many schedules, the earliest first", async () => {
  await using it = new Opened();
  const atUs = nowUs();
  it.startWith(
    { name: "third", nextAtUs: atUs + 150_000 },
    { name: "first", nextAtUs: atUs + 50_000 },
    { name: "second", nextAtUs: atUs + 100_000 },
  );
  await it.handedOver(3);
  assert.deepEqual(
    it.calls.map(({ scheduleName }) => scheduleName),
    ["first", "second", "third"],
  );
});

test("a schedule that is made earlier than all others is served in time after a rearm", async () => {
  await using it = new Opened();
  it.put({ name: "late", nextAtUs: nowUs() + hourUs });
  it.clock.start();
  it.put({ name: "soon", nextAtUs: nowUs() + 20_000 });
  it.clock.rearm();
  await it.handedOver(1);
  assert.equal(it.calls[0]?.scheduleName, "soon");
});

const gap = 5;
for (const { missedRuns, runs } of [
  { missedRuns: "skip", runs: 0 },
  { missedRuns: "run-once", runs: 1 },
]) {
  test(`due times that passed before the start are run ${runs} times with ${missedRuns}, and counted`, async () => {
    await using it = new Opened();
    const firstUs = nowUs() - (gap - 0.5) * hourUs;
    it.put({ name: "old", missedRuns, nextAtUs: firstUs, anchoredAtUs: firstUs });
    it.clock.start();
    const row = await poll(
      "see what was missed",
      () => (it.missed.length > 0 ? it.row("old") : undefined),
      { timeoutMs: 5_000 },
    );
    assert.equal(row.missedCount, gap);
    assert.deepEqual(it.missed, [["old", gap]]);
    assert.equal(row.nextAtUs, firstUs + gap * hourUs);
    await it.handedOver(runs);
    assert.deepEqual(
      it.calls.map(({ dueAtUs }) => dueAtUs),
      runs === 0 ? [] : [firstUs],
    );
  });
}

test("a long gap of a short rate is counted up to its bound and moved past now", async () => {
  await using it = new Opened();
  const firstUs = nowUs() - 24 * hourUs;
  it.put({
    name: "often",
    expression: "rate(1 second)",
    nextAtUs: firstUs,
    anchoredAtUs: firstUs,
  });
  const before = nowUs();
  it.clock.start();
  await poll("see what was missed", () => it.missed[0], { timeoutMs: 5_000 });
  assert.equal(it.row("often").missedCount, 1_000);
  assert.ok((it.row("often").nextAtUs ?? 0) > before);
});

test("a call that is refused is shown with the reason and does not stop the next ones", async () => {
  const refusal = new RunletError("not_found", "no such function");
  await using it = new Opened(async () => await Promise.reject(refusal));
  it.put({ name: "bad", expression: "rate(1 second)", nextAtUs: nowUs() + 1_000 });
  it.clock.start();
  await it.handedOver(1);
  const row = await it.settled("bad");
  assert.deepEqual([row.lastStatus, row.lastError], ["failed", "no such function"]);
  await it.handedOver(2);
});

test("what an earlier clock claimed and did not hand over is handed over once, with the same event id", async () => {
  await using it = new Opened();
  it.put({ name: "cut", nextAtUs: nowUs() + hourUs, lastAtUs: 7, lastStatus: "accepting" });
  it.clock.start();
  assert.equal((await it.settled("cut")).lastStatus, "accepted");
  assert.deepEqual(
    it.calls.map(({ dueAtUs, eventId }) => [dueAtUs, eventId]),
    [[7, eventIdOf("cut", 7)]],
  );
});

test("a call that could not be made stays claimed and is told, and the clock after it makes it", async () => {
  await using it = new Opened(async () => await Promise.reject(new Error("disk full")));
  it.startWith({ name: "held", nextAtUs: nowUs() + 200_000 });
  await poll("see the error", () => it.errors[0], { timeoutMs: 5_000 });
  assert.deepEqual(it.errors, ["held: disk full"]);
  assert.equal(it.row("held").lastStatus, "accepting");
  await it.clock[Symbol.asyncDispose]();
  await using next = it.nextClock();
  next.start();
  assert.equal((await it.settled("held")).lastStatus, "accepted");
  assert.deepEqual(new Set(it.calls.map(({ eventId }) => eventId)).size, 1);
});

test("a stopped clock claims nothing, and disposing it waits for what it hands over", async () => {
  const gate = Promise.withResolvers<void>();
  await using it = new Opened(async () => await gate.promise);
  it.startWith({ name: "open", nextAtUs: nowUs() + 200_000 });
  await it.handedOver(1);
  it.clock.stop();
  it.put({ name: "due", nextAtUs: nowUs() - 1 });
  it.clock.rearm();
  const disposed = it.clock[Symbol.asyncDispose]();
  assert.equal(it.row("open").lastStatus, "accepting");
  gate.resolve();
  await disposed;
  assert.equal(it.row("open").lastStatus, "accepted");
  assert.deepEqual(
    it.calls.map(({ scheduleName }) => scheduleName),
    ["open"],
  );
});

class Opened implements AsyncDisposable {
  readonly #directory = new TempDirectory();
  readonly #database = openDatabase(this.#directory.file("record.db"));
  readonly #store = new ScheduleStore(this.#database);
  readonly calls: ScheduledCall[] = [];
  readonly missed: [string, number][] = [];
  readonly errors: string[] = [];
  readonly clock: ScheduleClock;

  constructor(accept?: () => Promise<void>) {
    this.clock = this.nextClock(accept);
  }

  nextClock(accept = async (): Promise<void> => {}): ScheduleClock {
    return new ScheduleClock({
      store: this.#store,
      dispatch: async (call) => {
        this.calls.push(call);
        await accept();
      },
      onMissed: ({ name, missedCount }) => this.missed.push([name, missedCount]),
      onError: (error, about) => this.errors.push(`${about?.schedule}: ${messageOf(error)}`),
    });
  }

  put(row: Partial<ScheduleRow> & { name: string }): void {
    this.#store.put({ ...blank, ...row });
  }

  /** Starts the clock before there is anything that could be due by then, and so missed. */
  startWith(...rows: readonly (Partial<ScheduleRow> & { name: string })[]): void {
    this.clock.start();
    for (const row of rows) this.put(row);
    this.clock.rearm();
  }

  row(name: string): ScheduleRow {
    return this.#store.get(name) ?? assert.fail(`no schedule ${name}`);
  }

  async handedOver(count: number): Promise<void> {
    await poll(`see ${count} calls`, () => (this.calls.length >= count ? this.calls : undefined), {
      timeoutMs: 10_000,
    });
  }

  async settled(name: string): Promise<ScheduleRow> {
    return await poll(
      `see ${name} settled`,
      () => (this.row(name).lastStatus === "accepting" ? undefined : this.row(name)),
      { timeoutMs: 5_000 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clock[Symbol.asyncDispose]();
    this.#database[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }
}

const blank: Omit<ScheduleRow, "name"> = {
  functionName: "f",
  qualifier: null,
  expression: "rate(1 hour)",
  timeZone: "UTC",
  missedRuns: "skip",
  contentType: "application/json",
  provisioned: null,
  event: Buffer.from("{}"),
  state: "active",
  revisionId: "r",
  anchoredAtUs: 0,
  nextAtUs: null,
  lastAtUs: null,
  lastStatus: null,
  lastError: null,
  missedAtUs: null,
  missedCount: null,
  createdAtUs: 0,
  updatedAtUs: 0,
};
