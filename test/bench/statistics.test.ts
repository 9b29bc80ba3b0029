import assert from "node:assert/strict";
import { test } from "node:test";
import { percentile, summarize } from "../../bench/harness/statistics.ts";

const hundred = Array.from({ length: 100 }, (_, at) => at + 1);

const table: { samples: number[]; percent: number; expected: number }[] = [
  { samples: [7], percent: 0, expected: 7 },
  { samples: [7], percent: 99, expected: 7 },
  { samples: [1, 2], percent: 50, expected: 1 },
  { samples: [1, 2], percent: 51, expected: 2 },
  { samples: [1, 2, 3], percent: 50, expected: 2 },
  { samples: hundred, percent: 0, expected: 1 },
  { samples: hundred, percent: 50, expected: 50 },
  { samples: hundred, percent: 95, expected: 95 },
  { samples: hundred, percent: 99, expected: 99 },
  { samples: hundred, percent: 100, expected: 100 },
];

for (const { samples, percent, expected } of table) {
  test(`percentile ${percent} of ${samples.length} samples is ${expected}`, () => {
    assert.equal(percentile(samples, percent), expected);
  });
}

test("there is no percentile of nothing, and none outside of 0 to 100", () => {
  assert.throws(() => percentile([], 50), RangeError);
  assert.throws(() => percentile([1], -1), RangeError);
  assert.throws(() => percentile([1], 101), RangeError);
  assert.throws(() => summarize([]), RangeError);
});

test("a summary does not depend on the order of the samples and leaves them as they are", () => {
  const samples = hundred.toReversed();
  const expected = { n: 100, min: 1, p50: 50, p95: 95, p99: 99, max: 100, mean: 50.5 };
  assert.deepEqual(summarize(samples), expected);
  assert.deepEqual(samples, hundred.toReversed());
});
