import assert from "node:assert/strict";
import { test } from "node:test";
import { RunletError } from "../../../api/domain/errors.ts";
import { failureOfExit, type Outcome } from "../../../api/domain/outcome.ts";
import { outcomePatch, toInvocation, toInvocationDetail } from "../../../api/domain/record.ts";
import { invocationDetail } from "../../../api/schema/invocation.ts";
import { Timeline } from "../../../runtime/clock.ts";
import type { Exit } from "../../../runtime/container/exit.ts";
import { Capture } from "../../../runtime/container/stdio/capture.ts";
import { openDatabase } from "../../../store/database.ts";
import { InvocationStore } from "../../../store/invocations.ts";
import type { InvocationRow } from "../../../store/invocation-row.ts";
import { tempDir } from "../../support/temp-dir.ts";

const id = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";

/** The row that an outcome makes of a new record. */
async function rowOf(outcome: Outcome): Promise<InvocationRow> {
  await using dir = await tempDir();
  using database = openDatabase(dir.file("runlet.db"));
  const store = new InvocationStore(database);
  store.insert({ id, kind: "execute", status: "running", queuedAtUs: 5, runtime: "bash" });
  store.update(id, outcomePatch(outcome, new Timeline()));
  const row = store.get(id);
  assert.ok(row);
  return row;
}

const ends: { exit: Partial<Exit> & Pick<Exit, "reason">; status: string; code?: string }[] = [
  { exit: { reason: "exited", code: 0 }, status: "succeeded" },
  { exit: { reason: "exited", code: 3 }, status: "failed", code: "function_error" },
  {
    exit: { reason: "signaled", signal: "SIGSEGV", code: 139 },
    status: "failed",
    code: "function_error",
  },
  {
    exit: { reason: "oom", signal: "SIGKILL", code: 137 },
    status: "failed",
    code: "function_error",
  },
  { exit: { reason: "timeout", code: 137 }, status: "timed_out", code: "function_timeout" },
  { exit: { reason: "cancelled", code: 137 }, status: "cancelled", code: "cancelled" },
  { exit: { reason: "lost", code: 137 }, status: "failed", code: "runtime_failed" },
  {
    exit: { reason: "failed", code: 128, message: "no" },
    status: "failed",
    code: "runtime_failed",
  },
];

for (const { exit: partial, status, code } of ends) {
  test(`a program that ends as ${partial.reason} with ${partial.code} has ${status} on record`, async () => {
    const atMs = Date.now();
    const exit: Exit = { code: 0, signal: undefined, atMs, ...partial };
    const failure = code === undefined ? {} : { failure: failureOfExit(exit, 1_000) };
    const record = toInvocation(await rowOf({ exit, ...failure }));
    assert.equal(record.status, status);
    assert.equal(record.exitCode, exit.code);
    assert.equal(record.exitSignal, exit.signal);
    assert.equal(record.exitReason, exit.reason);
    const { exitedAtUs = 0, finishedAtUs = 0 } = record;
    assert.ok(exitedAtUs >= atMs * 1000 - 1_000 && exitedAtUs <= finishedAtUs + 1_000);
    assert.equal(record.error?.code, code);
  });
}

test("what a function threw is on record in its own words", async () => {
  const thrown = { name: "TypeError", message: "no", stack: "TypeError: no\n  at f" };
  const failure = new RunletError("function_error", "Function failed: TypeError: no");
  const record = toInvocation(await rowOf({ failure, thrown }));
  assert.deepEqual(record.error, { code: "function_error", ...thrown });
});

test("a record says nothing of what is not known", async () => {
  const record = toInvocation(await rowOf({}));
  assert.deepEqual(
    Object.entries(record).filter(([, value]) => value === null || value === undefined),
    [],
  );
  assert.ok(!("exitCode" in record) && !("error" in record) && !("start" in record));
});

test("output that was cut says so at its end, and where inside a character without half of it", async () => {
  const stdout = new Capture(3);
  stdout.write(Buffer.from("äää"));
  const stderr = new Capture(100);
  stderr.write(Buffer.from("whole"));
  const detail = toInvocationDetail(await rowOf({ stdout, stderr }));
  assert.equal(detail.stdout, "ä\n[output cut: 3 more bytes]\n");
  assert.deepEqual([detail.stdoutBytes, detail.stdoutTruncated], [6, true]);
  assert.equal(detail.stderr, "whole");
  assert.deepEqual([detail.stderrBytes, detail.stderrTruncated], [5, false]);
});

test("a record is what its schema promises", async () => {
  const exit: Exit = { code: 0, signal: undefined, reason: "exited", atMs: 7.25 };
  const stdout = new Capture(10);
  const detail = toInvocationDetail(
    await rowOf({ exit, stdout, start: "cold", runUs: 5, answerBytes: 2, containerId: "c" }),
  );
  assert.deepEqual(invocationDetail.parse(detail), detail);
});
