import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../../runtime/pool/backoff.ts";
import { Demand, targetSize } from "../../../runtime/pool/demand.ts";

test("demand is the busiest second of the window, and decays with it", () => {
  const demand = new Demand(60);
  for (let take = 0; take < 10; take++) demand.record(1000);
  demand.record(2000);
  assert.equal(demand.peakPerSecond(2000), 10);
  assert.equal(demand.peakPerSecond(61_999), 1);
  assert.equal(demand.peakPerSecond(63_000), 0);
});

const targets: [string, number, { floor: number; ceiling: number }, number][] = [
  ["nothing is asked for", 0, { floor: 2, ceiling: 10 }, 2],
  ["some is asked for", 4, { floor: 2, ceiling: 10 }, 4],
  ["more is asked for than there may be", 1000, { floor: 2, ceiling: 10 }, 10],
  ["there is no room", 5, { floor: 0, ceiling: 0 }, 0],
];
for (const [when, peak, bounds, expected] of targets) {
  test(`a stock aims at ${expected} when ${when}`, () => {
    assert.equal(targetSize(peak, bounds), expected);
  });
}

test("refills back off longer with each failure, up to a bound, and not after a success", () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 350 });
  const waits = [1, 2, 3, 4].map(() => {
    backoff.failed(new Error("no"), 0);
    return backoff.remainingMs(0);
  });
  assert.deepEqual(waits, [100, 200, 350, 350]);
  assert.equal(backoff.remainingMs(400), 0);
  assert.equal(backoff.lastError?.message, "no");
  backoff.succeeded();
  assert.equal(backoff.remainingMs(0), 0);
  assert.equal(backoff.lastError, undefined);
});
