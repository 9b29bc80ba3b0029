import assert from "node:assert/strict";
import { test } from "node:test";
import { RateLimitError } from "../../../api/domain/errors.ts";
import { RateLimits } from "../../../api/domain/rate-limits.ts";
import type { RateLimit } from "../../../api/schema/rate-limit.ts";

const limit: RateLimit = { perSecond: 2, burst: 3 };

test("a caller has its burst at once, and then as many a second as it may", () => {
  const { took, pass } = limited();
  assert.deepEqual([took("a"), took("a"), took("a")], [0, 0, 0]);
  assert.equal(took("a"), 500);
  pass(499);
  assert.equal(took("a"), 1);
  pass(1);
  assert.deepEqual([took("a"), took("a")], [0, 500]);
});

test("who is refused is not refused for longer by asking again", () => {
  const { took, pass } = limited();
  for (let count = 0; count < 3; count++) took("a");
  for (let count = 0; count < 100; count++) assert.equal(took("a"), 500);
  pass(500);
  assert.equal(took("a"), 0);
});

test("a bucket fills up to its burst however long the pause is", () => {
  const { took, pass } = limited();
  took("a");
  pass(3_600_000);
  assert.deepEqual([took("a"), took("a"), took("a"), took("a")], [0, 0, 0, 500]);
});

test("each caller and each function has a bucket of its own", () => {
  const { took } = limited({ perSecond: 1, burst: 1 });
  assert.deepEqual([took("a"), took("b"), took("a", "g")], [0, 0, 0]);
  assert.deepEqual([took("a"), took("b"), took("a", "g")], [1000, 1000, 1000]);
});

for (const [perSecond, burst] of [
  [0.001, 1],
  [0.5, 1],
  [2.5, 3],
  [1000, 1000],
] as const) {
  test(`without a burst of its own, ${perSecond} a second is ${burst} at once`, () => {
    const { took } = limited({ perSecond });
    for (let count = 0; count < burst; count++) assert.equal(took("a"), 0);
    assert.ok(took("a") > 0);
  });
}

test("more callers than are kept in mind take no more memory, and the busy ones stay bounded", () => {
  const { took } = limited({ perSecond: 1, burst: 1 }, 100);
  assert.equal(took("busy"), 0);
  for (let caller = 0; caller < 10_000; caller++) {
    assert.equal(took(`10.0.0.${caller}`), 0);
    assert.equal(took("busy"), 1000);
  }
});

/** Limits with a clock of their own; `took` answers how long to wait, 0 for a call that may run. */
function limited(
  of: RateLimit = limit,
  max = 1000,
): { took: (caller: string, name?: string) => number; pass: (ms: number) => void } {
  let atMs = 1_000_000;
  const limits = new RateLimits({ max, nowMs: () => atMs });
  return {
    took(caller, name = "f") {
      try {
        limits.take(name, caller, of);
        return 0;
      } catch (error) {
        if (!(error instanceof RateLimitError)) throw error;
        return Math.round(error.retryAfterMs);
      }
    },
    pass: (ms) => {
      atMs += ms;
    },
  };
}
