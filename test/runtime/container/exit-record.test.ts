import assert from "node:assert/strict";
import { test } from "node:test";
import { type Exit, internalExit } from "../../../runtime/container/exit.ts";
import { ExitRecord } from "../../../runtime/container/exit-record.ts";

const killed: Exit = { code: 137, signal: "SIGKILL", reason: "signaled", atMs: 5 };
const ended: Exit = { code: 0, signal: undefined, reason: "exited", atMs: 5 };
const terminated: Exit = { code: 143, signal: "SIGTERM", reason: "signaled", atMs: 5 };

const table: { exit: Exit; code: number; reason: string }[] = [
  { exit: killed, code: 137, reason: "timeout" },
  { exit: internalExit("lost", "unknown"), code: 137, reason: "timeout" },
  { exit: internalExit("failed", "boot broken off"), code: 137, reason: "timeout" },
  { exit: ended, code: 0, reason: "exited" },
  { exit: terminated, code: 143, reason: "signaled" },
];
for (const { exit, code, reason } of table) {
  test(`with a timeout noted, ${exit.reason} with ${exit.code} is told as ${reason}`, () => {
    const record = new ExitRecord();
    record.note("timeout");
    record.note("cancelled");
    record.take(exit);
    record.take(ended);
    assert.deepEqual([record.exit?.code, record.exit?.reason], [code, reason]);
    assert.equal(record.exit?.atMs, exit.atMs);
  });
}

test("waiters go when the exit is published and not when it is taken", async () => {
  const record = new ExitRecord();
  let isTold = false;
  const waiting = record.wait().then((exit) => {
    isTold = true;
    return exit;
  });
  record.publish();
  record.take(killed);
  await Promise.resolve();
  assert.equal(isTold, false);
  record.publish();
  assert.deepEqual(await waiting, killed);
});

test("a waiter gets away by its signal", async () => {
  const record = new ExitRecord();
  await assert.rejects(record.wait(AbortSignal.abort(new Error("enough"))), /enough/);
});
