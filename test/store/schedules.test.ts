import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../store/database.ts";
import { type ScheduleRow, ScheduleStore } from "../../store/schedules.ts";
import { TempDirectory } from "./temp-directory.ts";

const full: ScheduleRow = {
  name: "a",
  functionName: "f",
  qualifier: "1",
  expression: "* * * * *",
  timeZone: "UTC",
  missedRuns: "skip",
  contentType: "application/json",
  provisioned: null,
  event: Buffer.from([0, 255]),
  state: "active",
  revisionId: "r",
  anchoredAtUs: 3,
  nextAtUs: 4,
  lastAtUs: 5,
  lastStatus: "accepting",
  lastError: null,
  missedAtUs: 6,
  missedCount: 7,
  createdAtUs: 8,
  updatedAtUs: 9,
};
const claim = {
  name: "a",
  nextAtUs: 40,
  runAtUs: 4,

  missedCount: 0,
  atUs: 10,
};

test("a schedule is read as it was put, and a second put replaces all of it", () => {
  using it = new Opened();
  it.schedules.put(full);
  assert.deepEqual(it.schedules.get("a"), full);
  const other = {
    ...full,
    qualifier: null,
    nextAtUs: null,
    provisioned: 3,
    event: Buffer.from("x"),
  };
  it.schedules.put(other);
  assert.deepEqual(it.schedules.get("a"), other);
  assert.equal(it.schedules.delete("a"), true);
  assert.equal(it.schedules.delete("a"), false);
  assert.equal(it.schedules.get("a"), undefined);
});

test("schedules are due by their next time, the earliest first, and paused ones never", () => {
  using it = new Opened();
  for (const [name, nextAtUs] of [
    ["late", 30],
    ["early", 10],
    ["middle", 20],
    ["never", null],
  ] as const) {
    it.schedules.put({ ...full, name, nextAtUs });
  }
  assert.equal(it.schedules.firstDueUs(), 10);
  assert.deepEqual(names(it.schedules.due(20, 9)), ["early", "middle"]);
  assert.deepEqual(names(it.schedules.due(99, 2)), ["early", "middle"]);
  assert.deepEqual(it.schedules.due(9, 9), []);
});

test("a claim moves the due time on and notes what is handed over, in one commit", () => {
  using it = new Opened();
  it.schedules.put({ ...full, lastStatus: "failed", lastError: "why" });
  it.schedules.claim([claim]);
  const expected = { ...full, nextAtUs: 40, lastAtUs: 4, lastStatus: "accepting" };
  assert.deepEqual(it.schedules.get("a"), expected);
  assert.throws(() =>
    it.schedules.claim([
      { ...claim, nextAtUs: 80 },
      { ...claim, nextAtUs: 0.5 },
    ]),
  );
  assert.deepEqual(it.schedules.get("a"), expected);
});

test("a claim that skips keeps what was handed over before and counts what was missed", () => {
  using it = new Opened();
  it.schedules.put(full);
  it.schedules.claim([{ ...claim, runAtUs: null, missedCount: 3 }]);
  assert.deepEqual(it.schedules.get("a"), {
    ...full,
    nextAtUs: 40,
    missedAtUs: 10,
    missedCount: 3,
  });
});

test("what came of a due time is noted once, for the one that was claimed", () => {
  using it = new Opened();
  it.schedules.put(full);
  it.schedules.settle("a", 4, { status: "failed", error: "old" });
  assert.deepEqual(names(it.schedules.accepting()), ["a"]);
  it.schedules.settle("a", 5, { status: "accepted", error: null });
  assert.equal(it.schedules.get("a")?.lastStatus, "accepted");
  assert.deepEqual(it.schedules.accepting(), []);
});

function names(rows: readonly ScheduleRow[]): string[] {
  return rows.map(({ name }) => name);
}

class Opened implements Disposable {
  readonly #directory = new TempDirectory();
  readonly #database = openDatabase(this.#directory.file("record.db"));
  readonly schedules = new ScheduleStore(this.#database);

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }
}
