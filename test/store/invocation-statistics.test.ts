import assert from "node:assert/strict";
import { test } from "node:test";
import { InvocationStatistics, type StatisticsRow } from "../../store/invocation-statistics.ts";
import { OpenedInvocations } from "./opened-invocations.ts";

const nobody = { failed: 0, timedOut: 0, cancelled: 0, lost: 0, cold: 0, pooled: 0, warm: 0 };
const none = { p50: null, p95: null, p99: null };
const minuteUs = 60_000_000;
const all = { sinceMinute: 0, sinceId: "0", maxSampled: 1000 };

function countsOf(row: StatisticsRow): Omit<StatisticsRow, "sampleCount" | "runUs" | "totalUs"> {
  const { sampleCount: _sampled, runUs: _run, totalUs: _total, ...counts } = row;
  return counts;
}

test("a function that nobody invoked has counts of 0 and no times", () => {
  using it = new OpenedInvocations();
  it.insert({ functionName: "other", runUs: 1 });
  it.insert({ functionName: "f", kind: "build", runUs: 1 });
  assert.deepEqual(new InvocationStatistics(it.database).of("f", all), {
    ...nobody,
    count: 0,
    sampleCount: 0,
    runUs: none,
    totalUs: none,
  });
});

test("percentiles are values that were measured, whatever the order they came in", () => {
  using it = new OpenedInvocations();
  for (const place of Array.from({ length: 200 }, (_, index) => (index * 77) % 200)) {
    const runUs = place + 1;
    const finishedAtUs = 1000 + runUs * 10;
    it.insert({ functionName: "f", queuedAtUs: 1000, runUs, finishedAtUs, status: "succeeded" });
  }
  it.insert({ functionName: "f", status: "running", queuedAtUs: 1000 });
  const { count, sampleCount, runUs, totalUs } = new InvocationStatistics(it.database).of("f", all);
  assert.deepEqual([count, sampleCount], [201, 201]);
  assert.deepEqual(runUs, { p50: 100, p95: 190, p99: 198 });
  assert.deepEqual(totalUs, { p50: 1000, p95: 1900, p99: 1980 });
});

test("counts are of all from a minute on, and times of the newest of them", () => {
  using it = new OpenedInvocations();
  const insert = (minute: number, runUs: number): string =>
    it.insert({ functionName: "f", status: "failed", runUs, queuedAtUs: minute * minuteUs });
  insert(1, 900);
  const sinceId = insert(1, 900);
  for (const runUs of [1, 2, 3, 4, 5]) insert(2 + (runUs % 2), runUs);
  const range = { sinceMinute: 2, sinceId, maxSampled: 3 };
  const { count, failed, sampleCount, runUs } = new InvocationStatistics(it.database).of(
    "f",
    range,
  );
  assert.deepEqual([count, failed, sampleCount], [5, 5, 3]);
  assert.deepEqual(runUs, { p50: 4, p95: 5, p99: 5 });
});

test("errors and starts are counted by kind, whatever became of a row", () => {
  using it = new OpenedInvocations();
  const statistics = new InvocationStatistics(it.database);
  const statuses = ["failed", "timed_out", "cancelled", "succeeded", "running"] as const;
  const starts = ["cold", "pooled", "warm", "warm"] as const;
  for (const [place, status] of statuses.entries()) {
    it.insert({ functionName: "f", status, startKind: starts[place] ?? null });
  }
  const counts = { ...nobody, count: 5, failed: 1, timedOut: 1, cancelled: 1 };
  const shares = { cold: 1, pooled: 1, warm: 2 };
  assert.deepEqual(countsOf(statistics.of("f", all)), { ...counts, ...shares });

  const id = it.insert({ functionName: "f", status: "running" });
  it.invocations.update(id, { status: "failed", startKind: "cold", runUs: 7 });
  it.invocations.update(id, { exitCode: 1 });
  const changed = { ...counts, ...shares, count: 6, failed: 2, cold: 2 };
  assert.deepEqual(countsOf(statistics.of("f", all)), changed);

  it.invocations.markLost(1);
  assert.deepEqual(countsOf(statistics.of("f", all)), { ...changed, lost: 1 });

  it.invocations.prune({ keep: 1 });
  const left = { ...nobody, count: 1, failed: 1, cold: 1 };
  assert.deepEqual(countsOf(statistics.of("f", all)), left);
  it.invocations.prune({ keep: 0 });
  const rows = it.database.connection.prepare("SELECT * FROM invocation_minutes").all();
  assert.deepEqual(rows, [], "minutes of which nothing is left");
});
