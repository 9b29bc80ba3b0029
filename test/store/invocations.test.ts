import assert from "node:assert/strict";
import { test } from "node:test";
import { v7 } from "uuid";
import type { InvocationPatch, InvocationRow } from "../../store/invocation-row.ts";
import { OpenedInvocations } from "./opened-invocations.ts";

const blank: Omit<InvocationRow, "id"> = {
  kind: "invoke",
  functionName: null,
  functionVersion: null,
  qualifier: null,
  image: null,
  runtime: null,
  traceId: null,
  status: "queued",
  startKind: null,
  containerId: null,
  exitCode: null,
  exitSignal: null,
  exitReason: null,
  queuedAtUs: 1,
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
  stdoutBytes: 0,
  stdoutTruncated: false,
  stderrBytes: 0,
  stderrTruncated: false,
  errorCode: null,
  errorName: null,
  errorMessage: null,
  errorStack: null,
  eventId: null,
  attempt: null,
  stdout: null,
  stderr: null,
};

const full: Omit<InvocationRow, "id"> = {
  kind: "execute",
  functionName: "f",
  functionVersion: 3,
  qualifier: "live",
  image: "node",
  runtime: "python",
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  status: "failed",
  startKind: "pooled",
  containerId: "rlt-0123456789abcdef",
  exitCode: 137,
  exitSignal: "SIGKILL",
  exitReason: "oom",
  queuedAtUs: 1_790_000_000_000_001,
  startedAtUs: 1_790_000_000_000_002,
  finishedAtUs: 1_790_000_000_000_003,
  exitedAtUs: 1_790_000_000_000_004,
  queueUs: 5,
  takeUs: 6,
  initUs: 7,
  runUs: 8,
  recordUs: 9,
  eventBytes: 9,
  answerBytes: 10,
  stdoutBytes: 5_000_000_000,
  stdoutTruncated: true,
  stderrBytes: 12,
  stderrTruncated: true,
  errorCode: "function_error",
  errorName: "TypeError",
  errorMessage: "x is not a function",
  errorStack: "TypeError: x\n  at y",
  eventId: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
  attempt: 2,
  stdout: Buffer.from([0, 255, 10]),
  stderr: Buffer.from("wörter"),
};

test("an invocation of which little is known has blanks for the rest", () => {
  using it = new OpenedInvocations();
  const id = it.insert();
  assert.deepEqual(it.invocations.get(id), { id, ...blank });
});

test("every field of an invocation comes back as it was inserted", () => {
  using it = new OpenedInvocations();
  const id = it.insert(full);
  assert.deepEqual(it.invocations.get(id), { id, ...full });
});

test("every field of an invocation comes back as it was updated", () => {
  using it = new OpenedInvocations();
  const id = it.insert();
  assert.equal(it.invocations.update(id, full), true);
  assert.deepEqual(it.invocations.get(id), { id, ...full });
});

for (const field of Object.keys(full) as (keyof InvocationPatch)[]) {
  test(`an update of ${field} changes nothing else`, () => {
    using it = new OpenedInvocations();
    const id = it.insert();
    const other = it.insert();
    const patch = { [field]: full[field] } as InvocationPatch;
    assert.equal(it.invocations.update(id, patch), true);
    assert.deepEqual(it.invocations.get(id), { id, ...blank, ...patch });
    assert.deepEqual(it.invocations.get(other), { id: other, ...blank });
  });
}

test("a field is emptied by null and kept by undefined", () => {
  using it = new OpenedInvocations();
  const id = it.insert(full);
  const patch = { exitCode: null, exitSignal: undefined, stdout: null } as unknown;
  assert.equal(it.invocations.update(id, patch as InvocationPatch), true);
  assert.deepEqual(it.invocations.get(id), { id, ...full, exitCode: null, stdout: null });
});

test("an update of nothing, or of an unknown invocation, answers false", () => {
  using it = new OpenedInvocations();
  const id = it.insert();
  assert.equal(it.invocations.update(id, {}), false);
  assert.equal(it.invocations.update(v7(), { runUs: 1 }), false);
  assert.equal(it.invocations.get(v7()), undefined);
});

test("a name that is no field never becomes SQL", () => {
  using it = new OpenedInvocations();
  const id = it.insert();
  for (const name of ["status = 'lost', kind", "constructor", "id; --"]) {
    const patch = { [name]: "x" } as InvocationPatch;
    assert.throws(() => it.invocations.update(id, patch), { message: /no such field/ });
  }
  assert.deepEqual(it.invocations.get(id), { id, ...blank });
});

const statuses = [
  { from: "queued", to: "running", isTaken: true },
  { from: "queued", to: "cancelled", isTaken: true },
  { from: "running", to: "succeeded", isTaken: true },
  { from: "running", to: "timed_out", isTaken: true },
  { from: "failed", to: "failed", isTaken: true },
  { from: "cancelled", to: "succeeded", isTaken: false },
  { from: "succeeded", to: "failed", isTaken: false },
  { from: "timed_out", to: "cancelled", isTaken: false },
  { from: "lost", to: "running", isTaken: false },
] as const;
for (const { from, to, isTaken } of statuses) {
  test(`a ${from} invocation ${isTaken ? "may become" : "never becomes"} ${to}`, () => {
    using it = new OpenedInvocations();
    const id = it.insert({ status: from });
    assert.equal(it.invocations.update(id, { status: to, runUs: 5 }), isTaken);
    const row = it.invocations.get(id);
    assert.deepEqual([row?.status, row?.runUs], isTaken ? [to, 5] : [from, null]);
  });
}

test("an ended invocation takes what is learnt later, such as the end of its container", () => {
  using it = new OpenedInvocations();
  const id = it.insert({ status: "succeeded" });
  assert.equal(it.invocations.update(id, { exitCode: 0, exitReason: "exited" }), true);
  assert.equal(it.invocations.get(id)?.exitReason, "exited");
});

test("an id is on record only once", () => {
  using it = new OpenedInvocations();
  const id = it.insert({ functionName: "first" });
  assert.throws(() => it.insert({ id, functionName: "second" }), { message: /UNIQUE/ });
  assert.equal(it.invocations.get(id)?.functionName, "first");
});

test("a time that is no integer is refused", () => {
  using it = new OpenedInvocations();
  assert.throws(() => it.insert({ queuedAtUs: 1.5 }), { message: /cannot store REAL/ });
});

test("what an earlier life left queued or running is lost, and nothing else", () => {
  using it = new OpenedInvocations();
  const queued = it.insert({ status: "queued" });
  const running = it.insert({ status: "running", startedAtUs: 2 });
  const ended = it.insert({ ...full, status: "succeeded" });
  assert.equal(it.invocations.markLost(99), 2);
  assert.deepEqual(it.invocations.get(queued), {
    id: queued,
    ...blank,
    status: "lost",
    exitReason: "lost",
    finishedAtUs: 99,
  });
  assert.deepEqual(it.invocations.get(running), {
    id: running,
    ...blank,
    status: "lost",
    exitReason: "lost",
    exitCode: 137,
    startedAtUs: 2,
    exitedAtUs: 99,
    finishedAtUs: 99,
  });
  assert.deepEqual(it.invocations.get(ended), { id: ended, ...full, status: "succeeded" });
  assert.equal(it.invocations.markLost(100), 0);
});
