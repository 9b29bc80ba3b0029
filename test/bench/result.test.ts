import assert from "node:assert/strict";
import { test } from "node:test";
import { seriesOf } from "../../bench/harness/result.ts";
import { costAtMost, medianAtMost, ratioAtLeast } from "../../bench/harness/verdicts.ts";
import { sampleResult } from "./sample-result.ts";

const samples = new Map([
  ["runlet", [2]],
  ["runlet@1", [4]],
  ["runsc", [20]],
  ["runsc@1", [2]],
  ["native@8", [1]],
]);

test("a ratio of times says how many times faster Runlet is, variant by variant", () => {
  const { ratios } = sampleResult({ samples, better: "lower" });
  assert.deepEqual(ratios, { runsc: 10, "runsc@1": 0.5, "native@8": 0.5 });
});

test("a ratio of rates says how many times more Runlet does", () => {
  const { ratios } = sampleResult({ samples, better: "higher" });
  assert.deepEqual(ratios, { runsc: 0.1, "runsc@1": 2, "native@8": 2 });
});

test("there is no ratio where nothing was measured but zero", () => {
  const zeros = new Map([
    ["runlet", [0]],
    ["runsc", [0]],
  ]);
  assert.deepEqual(sampleResult({ samples: zeros }).ratios, {});
});

test("a series bears its summary and its facts, but a fact never hides a figure", () => {
  const facts = new Map([["runlet", { members: 3, p50: 99 }]]);
  const { name, n, p50, members } = seriesOf(sampleResult({ facts }), "runlet") as Record<
    string,
    unknown
  >;
  assert.deepEqual({ name, n, p50, members }, { name: "runlet", n: 3, p50: 2, members: 3 });
});

test("a verdict is about the worst variant, and open where the peer was not there", () => {
  const result = sampleResult({ samples });
  assert.equal(medianAtMost(result, 2, "ms").holds, true);
  assert.equal(medianAtMost(result, 1.9, "ms").holds, false);
  assert.equal(ratioAtLeast(result, "runsc", 0.5).holds, true);
  assert.equal(ratioAtLeast(result, "runsc", 0.6).holds, false);
  assert.equal(ratioAtLeast(result, "docker-runsc", 100).holds, undefined);
  const slower = new Map([
    ["runlet", [23]],
    ["runsc", [20]],
  ]);
  assert.equal(costAtMost(sampleResult({ samples: slower }), "runsc", 1.15).figure, "1.15 x");
  assert.equal(costAtMost(sampleResult({ samples: slower }), "runsc", 1.1).holds, false);
});
