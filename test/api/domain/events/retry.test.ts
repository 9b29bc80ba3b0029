import assert from "node:assert/strict";
import { test } from "node:test";
import { InvocationError, RunletError } from "../../../../api/domain/errors.ts";
import { spent, verdictOn } from "../../../../api/domain/events/retry.ts";
import { asyncPolicy } from "../../../../api/schema/async-policy.ts";

const policy = asyncPolicy.parse({});
const failure = new RunletError("function_error", "it threw");
const throttle = new RunletError("resource_exhausted", "no room");
const atUs = 1_790_000_000_000_000;
const fresh = { attempts: 1, throttles: 0, acceptedAtUs: atUs };
const middle = { policy, atUs, random: 0.5 };

test("a failure is tried again after a minute, then after two, and the third one is the last", () => {
  const delays = [1, 2, 3].map((attempts) => {
    const verdict = verdictOn({ ...fresh, attempts }, failure, middle);
    return verdict.kind === "again" ? (verdict.nextAtUs - atUs) / 1_000_000 : verdict.condition;
  });
  assert.deepEqual(delays, [60, 120, "RetriesExhausted"]);
});

test("the wait is up to a fifth shorter or longer", () => {
  assert.equal(waitOf(0), 48);
  assert.ok(Math.abs(waitOf(0.999_999) - 72) < 0.01);
});

test("a throttle does not count and waits from a second up to five minutes", () => {
  const waits = [0, 1, 8, 9, 100].map((throttles) => {
    const verdict = verdictOn({ ...fresh, attempts: 3, throttles }, throttle, middle);
    assert.ok(verdict.kind === "again" && !verdict.isCounted);
    return (verdict.nextAtUs - atUs) / 1_000_000;
  });
  assert.deepEqual(waits, [1, 2, 256, 300, 300]);
});

test("an event that could only be tried again past its age is given up at once", () => {
  const old = { ...fresh, acceptedAtUs: atUs - 21_599_000_000 };
  assert.deepEqual(verdictOn(old, failure, middle), {
    kind: "dead",
    condition: "EventAgeExceeded",
    isCounted: true,
  });
  const turnedAway = verdictOn(old, throttle, { ...middle, atUs: atUs + 1_000_000 });
  assert.ok(turnedAway.kind === "dead" && !turnedAway.isCounted);
  assert.equal(spent(old, { policy, atUs }), undefined);
  assert.equal(spent(old, { policy, atUs: atUs + 2_000_000 }), "EventAgeExceeded");
});

test("an attempt more than there may be, as after a crash, is not made", () => {
  assert.equal(spent({ ...fresh, attempts: 3 }, { policy, atUs }), undefined);
  assert.equal(spent({ ...fresh, attempts: 4 }, { policy, atUs }), "RetriesExhausted");
});

test("what no later attempt would change is not tried again, and what ran is", () => {
  const gone = new RunletError("not_found", "no such function");
  assert.equal(verdictOn(fresh, gone, middle).kind, "dead");
  const cancelled = new InvocationError(new RunletError("cancelled", "by a caller"), {
    invocationId: "i",
    traceId: "t",
  });
  assert.equal(verdictOn(fresh, cancelled, middle).kind, "dead");
  const ran = new InvocationError(new RunletError("not_found", "no image"), {
    invocationId: "i",
    traceId: "t",
  });
  assert.equal(verdictOn(fresh, ran, middle).kind, "again");
});

function waitOf(random: number): number {
  const verdict = verdictOn(fresh, failure, { ...middle, random });
  assert.ok(verdict.kind === "again");
  return (verdict.nextAtUs - atUs) / 1_000_000;
}
