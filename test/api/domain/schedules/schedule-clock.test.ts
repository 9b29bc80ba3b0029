import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ScheduleClock,
  type ScheduledCall,
} from "../../../../api/domain/schedules/schedule-clock.ts";
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
  it.put({ name: "soon", nextAtUs: dueAtUs });
  it.clock.start();
  await it.handedOver(1);
  assert.deepEqual(it.calls, [
    {
      scheduleName: "soon",
      dueAtUs,
      functionName: "f",
      qualifier: undefined,
      event: Buffer.from("{}"),
      contentType: "application/json",
    },
  ]);
  const row = await it.settled("soon");
  assert.equal(row.lastStatus, "succeeded");
  assert.equal(row.lastAtUs, dueAtUs);
  assert.ok((row.nextAtUs ?? 0) > nowUs());
  assert.equal(row.missedCount, null);
});

test("one timer serves many schedules, the earliest first", async () => {
  await using it = new Opened();
  const atUs = nowUs();
  for (const [name, delayUs] of [
    ["third", 150_000],
    ["first", 50_000],
    ["second", 100_000],
  ] as const) {
    it.put({ name, nextAtUs: atUs + delayUs });
  }
  it.clock.start();
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
    await it.handedOver(runs);
    assert.deepEqual(
      it.calls.map(({ dueAtUs }) => dueAtUs),
      runs === 0 ? [] : [firstUs],
    );
    const row = it.row("old");
    assert.equal(row.missedCount, gap);
    assert.deepEqual(it.missed, [["old", gap]]);
    assert.equal(row.nextAtUs, firstUs + gap * hourUs);
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
  assert.equal(it.row("often").missedCount, 1_000);
  assert.ok((it.row("often").nextAtUs ?? 0) > before);
});

test("a failed hand-over is shown with its reason and does not stop the next ones", async () => {
  await using it = new Opened(async () => await Promise.reject(new Error("no room")));
  it.put({ name: "bad", expression: "rate(1 second)", nextAtUs: nowUs() + 1_000 });
  it.clock.start();
  await it.handedOver(1);
  const row = await it.settled("bad");
  assert.deepEqual([row.lastStatus, row.lastError], ["failed", "no room"]);
  await it.handedOver(2);
});

test("what a clock before this one handed over and did not see end is shown as failed and not repeated", async () => {
  await using it = new Opened();
  it.put({ name: "cut", nextAtUs: nowUs() + hourUs, lastAtUs: 7, lastStatus: "running" });
  it.clock.start();
  const row = it.row("cut");
  assert.equal(row.lastStatus, "failed");
  assert.match(row.lastError ?? "", /the server ended before it/);
  assert.deepEqual(it.calls, []);
});

test("a stopped clock claims nothing, and disposing it waits for what it handed over", async () => {
  const it = new Opened(
    async (signal) =>
      await new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(new Error("given up"))),
      ),
  );
  it.put({ name: "open", expression: "rate(1 second)", nextAtUs: nowUs() });
  it.clock.start();
  await it.handedOver(1);
  it.clock.stop();
  it.put({ name: "due", nextAtUs: nowUs() - 1 });
  it.clock.rearm();
  await it.clock[Symbol.asyncDispose]();
  assert.deepEqual(
    it.calls.map(({ scheduleName }) => scheduleName),
    ["open"],
  );
  assert.equal(it.row("open").lastError, "given up");
  await it[Symbol.asyncDispose]();
});

class Opened implements AsyncDisposable {
  readonly #directory = new TempDirectory();
  readonly #database = openDatabase(this.#directory.file("record.db"));
  readonly #store = new ScheduleStore(this.#database);
  readonly calls: ScheduledCall[] = [];
  readonly missed: [string, number][] = [];
  readonly clock: ScheduleClock;

  constructor(end: (signal: AbortSignal) => Promise<void> = async () => {}) {
    this.clock = new ScheduleClock({
      store: this.#store,
      dispatch: async (call, signal) => {
        this.calls.push(call);
        await end(signal);
      },
      onMissed: ({ name, missedCount }) => this.missed.push([name, missedCount]),
      onError: (error) => assert.fail(String(error)),
    });
  }

  put(row: Partial<ScheduleRow> & { name: string }): void {
    this.#store.put({ ...blank, ...row });
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
      () => (this.row(name).lastStatus === "running" ? undefined : this.row(name)),
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
  event: Buffer.from("{}"),
  state: "active",
  revision: 1,
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
