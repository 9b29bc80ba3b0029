import assert from "node:assert/strict";
import { test } from "node:test";
import { InvocationStatistics } from "../../store/invocation-statistics.ts";
import { OpenedInvocations } from "./opened-invocations.ts";

const nobody = { failed: 0, timedOut: 0, cancelled: 0, lost: 0, cold: 0, pooled: 0, warm: 0 };
const none = { p50: null, p95: null, p99: null };

test("a function that nobody invoked has counts of 0 and no times", () => {
  using it = new OpenedInvocations();
  it.insert({ functionName: "other", runUs: 1 });
  assert.deepEqual(new InvocationStatistics(it.database).of("f", "0", 10), {
    ...nobody,
    count: 0,
    isSampled: false,
    oldestAtUs: null,
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
  const { count, runUs, totalUs } = new InvocationStatistics(it.database).of("f", "0", 1000);
  assert.equal(count, 201);
  assert.deepEqual(runUs, { p50: 100, p95: 190, p99: 198 });
  assert.deepEqual(totalUs, { p50: 1000, p95: 1900, p99: 1980 });
});

test("errors and starts are counted by kind, within the range", () => {
  using it = new OpenedInvocations();
  it.insert({ functionName: "f", status: "failed", startKind: "cold" });
  const since = it.insert({ functionName: "f", status: "failed", startKind: "cold" });
  for (const status of ["failed", "timed_out", "cancelled", "lost", "succeeded"] as const) {
    it.insert({ functionName: "f", status, startKind: "warm" });
  }
  it.insert({ functionName: "f", status: "succeeded", startKind: "pooled" });
  const { count, failed, timedOut, cancelled, lost, cold, pooled, warm } = new InvocationStatistics(
    it.database,
  ).of("f", since, 100);
  assert.deepEqual(
    { count, failed, timedOut, cancelled, lost, cold, pooled, warm },
    { count: 7, failed: 2, timedOut: 1, cancelled: 1, lost: 1, cold: 1, pooled: 1, warm: 5 },
  );
});

test("of more invocations than the bound, the newest are looked at and it is said so", () => {
  using it = new OpenedInvocations();
  for (const runUs of [1, 2, 3, 4, 5]) it.insert({ functionName: "f", runUs, queuedAtUs: runUs });
  const statistics = new InvocationStatistics(it.database);
  const some = statistics.of("f", "0", 3);
  assert.deepEqual([some.count, some.isSampled, some.oldestAtUs, some.runUs.p50], [3, true, 3, 4]);
  assert.equal(statistics.of("f", "0", 5).isSampled, false);
});
