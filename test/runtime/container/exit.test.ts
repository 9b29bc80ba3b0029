import assert from "node:assert/strict";
import { test } from "node:test";
import {
  exitOfShellStatus,
  exitOfWaitStatus,
  internalExit,
  killedExit,
  signalNameOf,
  signalNumber,
} from "../../../runtime/container/exit.ts";

const waitStatuses = [
  { raw: 0, code: 0, signal: undefined, reason: "exited" },
  { raw: 3 << 8, code: 3, signal: undefined, reason: "exited" },
  { raw: 143 << 8, code: 143, signal: undefined, reason: "exited" },
  { raw: 255 << 8, code: 255, signal: undefined, reason: "exited" },
  { raw: 9, code: 137, signal: "SIGKILL", reason: "signaled" },
  { raw: 15, code: 143, signal: "SIGTERM", reason: "signaled" },
  { raw: 6, code: 134, signal: "SIGABRT", reason: "signaled" },
  { raw: 11 | 0x80, code: 139, signal: "SIGSEGV", reason: "signaled" },
];
for (const { raw, ...expected } of waitStatuses) {
  test(`the wait status ${raw} is read as ${expected.reason} with ${expected.code}`, () => {
    assert.deepEqual(exitOfWaitStatus(raw, 1), { ...expected, atMs: 1 });
  });
}

const shellStatuses = [
  { status: 0, code: 0, signal: undefined, reason: "exited" },
  { status: 128, code: 128, signal: undefined, reason: "exited" },
  { status: 137, code: 137, signal: "SIGKILL", reason: "signaled" },
  { status: 255, code: 255, signal: undefined, reason: "exited" },
];
for (const { status, ...expected } of shellStatuses) {
  test(`the shell's status ${status} is read as ${expected.reason}`, () => {
    assert.deepEqual(exitOfShellStatus(status, 1), { ...expected, atMs: 1 });
  });
}

test("a kill counts as 137 and a failure of runsc as 128, each with its reason", () => {
  const killed = killedExit("timeout");
  assert.deepEqual([killed.code, killed.signal, killed.reason], [137, "SIGKILL", "timeout"]);
  assert.ok(!("message" in killed));
  const failed = internalExit("failed", "why");
  assert.deepEqual([failed.code, failed.reason, failed.message], [128, "failed", "why"]);
});

test("names and numbers of signals go over into each other", () => {
  assert.equal(signalNumber("SIGTERM"), 15);
  assert.equal(signalNameOf(15), "SIGTERM");
  assert.equal(signalNameOf(200), undefined);
});
