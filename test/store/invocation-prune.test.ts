import assert from "node:assert/strict";
import { test } from "node:test";
import type { PruneOptions } from "../../store/invocations.ts";
import { OpenedInvocations } from "./opened-invocations.ts";

const cases: { says: string; options: PruneOptions; left: number[] }[] = [
  { says: "no bound removes nothing", options: {}, left: [1, 2, 3, 4, 5, 6] },
  {
    says: "an age removes what was queued before",
    options: { olderThanUs: 4 },
    left: [2, 4, 5, 6],
  },
  { says: "a number keeps the newest", options: { keep: 2 }, left: [2, 5, 6] },
  { says: "a number of 0 keeps only what lives", options: { keep: 0 }, left: [2, 5] },
  { says: "a number beyond all removes nothing", options: { keep: 6 }, left: [1, 2, 3, 4, 5, 6] },
  { says: "the tighter bound counts", options: { keep: 5, olderThanUs: 4 }, left: [2, 4, 5, 6] },
  { says: "either bound suffices", options: { keep: 2, olderThanUs: 2 }, left: [2, 5, 6] },
];
for (const { says, options, left } of cases) {
  test(`prune: ${says}`, () => {
    using it = new OpenedInvocations();
    for (const at of [1, 2, 3, 4, 5, 6]) {
      const status = at === 2 ? "queued" : at === 5 ? "running" : "succeeded";
      it.insert({ queuedAtUs: at, status });
    }
    assert.equal(it.invocations.prune(options), 6 - left.length);
    assert.deepEqual(queueTimes(it), left);
    assert.equal(it.invocations.prune(options), 0);
  });
}

test("prune removes no more than its limit at a time, oldest first", () => {
  using it = new OpenedInvocations();
  for (const at of [1, 2, 3, 4, 5]) it.insert({ queuedAtUs: at, status: "failed" });
  const options = { olderThanUs: 5, limit: 3 };
  assert.equal(it.invocations.prune(options), 3);
  assert.deepEqual(queueTimes(it), [4, 5]);
  assert.equal(it.invocations.prune(options), 1);
  assert.equal(it.invocations.prune(options), 0);
  assert.deepEqual(queueTimes(it), [5]);
});

function queueTimes(it: OpenedInvocations): number[] {
  return it.invocations
    .page({ limit: 100 })
    .rows.map((row) => row.queuedAtUs)
    .toReversed();
}
