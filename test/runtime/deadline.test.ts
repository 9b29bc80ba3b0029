import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { poll, startDeadline, untilAborted, within } from "../../runtime/deadline.ts";

const never = new Promise<never>(() => {});
const late = { code: "deadline_exceeded", message: "Cannot see it: no answer within 10 ms" };

test("a deadline aborts after its time with an error that names what was waited for", async () => {
  using deadline = startDeadline("see it", 10);
  await assert.rejects(untilAborted(never, deadline.signal), late);
});

test("a deadline aborts earlier with the reason of its signal", () => {
  const outer = new AbortController();
  using deadline = startDeadline("see it", 60_000, outer.signal);
  outer.abort("enough");
  assert.equal(deadline.signal.reason, "enough");
  using second = startDeadline("see it", 60_000, outer.signal);
  assert.equal(second.signal.reason, "enough");
});

test("a deadline that is disposed neither aborts nor stays on its signal", async () => {
  const outer = new AbortController();
  const deadline = startDeadline("see it", 5, outer.signal);
  assert.equal(getEventListeners(outer.signal, "abort").length, 1);
  deadline[Symbol.dispose]();
  assert.equal(getEventListeners(outer.signal, "abort").length, 0);
  using control = startDeadline("see it", 15);
  await assert.rejects(untilAborted(never, control.signal));
  assert.equal(deadline.signal.aborted, false);
});

test("a wait answers what its promise answers or throws", async () => {
  assert.equal(await within(Promise.resolve(7), "see it", 60_000), 7);
  await assert.rejects(within(Promise.reject(new Error("own")), "see it", 60_000), /own/);
});

test("a wait ends at its deadline or at its signal", async () => {
  await assert.rejects(within(never, "see it", 10), late);
  const reason = new Error("enough");
  await assert.rejects(within(never, "see it", 60_000, AbortSignal.abort(reason)), reason);
});

test("a wait until an abort leaves nothing on the signal", async () => {
  const { signal } = new AbortController();
  assert.equal(await untilAborted(Promise.resolve(7), signal), 7);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(await untilAborted(Promise.resolve(7)), 7);
});

test("a poll asks until it gets something other than undefined", async () => {
  let asked = 0;
  const probe = (): number | undefined => (++asked < 3 ? undefined : 0);
  assert.equal(await poll("see it", probe, { timeoutMs: 5_000, intervalMs: 1 }), 0);
  assert.equal(asked, 3);
});

test("a poll ends at its deadline, at its signal and with its probe's own error", async () => {
  await assert.rejects(poll("see it", nothing, { timeoutMs: 10, intervalMs: 1 }), {
    code: "deadline_exceeded",
    message: "Cannot see it: not so within 10 ms",
  });
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  await assert.rejects(poll("see it", nothing, { timeoutMs: 60_000, signal }), reason);
  await assert.rejects(poll("see it", broken, { timeoutMs: 60_000 }), /own/);
});

function nothing(): undefined {}

function broken(): never {
  throw new Error("own");
}
