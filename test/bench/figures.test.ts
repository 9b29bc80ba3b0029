import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { benches } from "../../bench/catalogue.ts";
import { figure } from "../../bench/harness/figure.ts";
import { plot } from "../../bench/harness/plot.ts";
import { sumOf } from "../../bench/harness/pool-state.ts";
import { withFigures } from "../../bench/harness/readme.ts";
import { report } from "../../bench/harness/report.ts";
import { medianAtMost, ratioAtLeast } from "../../bench/harness/verdicts.ts";
import { sampleResult } from "./sample-result.ts";

const judged = sampleResult({
  facts: new Map([["runlet", { members: 3 }]]),
  judge: (result) => [medianAtMost(result, 1, "ms"), ratioAtLeast(result, "podman", 2)],
});

test("a report names each series with its ratio, each verdict, and each peer that was skipped", () => {
  const text = report(judged);
  assert.match(text, /^sample \(ms, lower is better\)$/m);
  assert.match(text, /^ {2}runlet +3 +1\.00 +2\.00 +3\.00 +3\.00 +3\.00 +2\.00 +members 3$/m);
  assert.match(text, /^ {2}runsc +1 .* 20\.0 x$/m);
  assert.match(text, /promise does not hold: p50 <= 1 ms: 2\.00 ms/);
  assert.match(text, /promise not judged: >= 2 x podman: podman was not measured/);
  assert.match(text, /skipped podman: podman is not installed/);
});

test("figures replace what stood between the markers of their bench, and nothing else", () => {
  const page =
    "a\n<!-- bench:x -->\nstale\n<!-- /bench:x -->\nb\n<!-- bench:y -->\n<!-- /bench:y -->\n";
  const once = withFigures(page, "x", [judged]);
  assert.match(once, /^a\n<!-- bench:x -->\n\n\*\*sample\*\* .*load 0\.5/);
  assert.match(once, /\| runsc \| 1 \|.*\| 20\.0 x \|/);
  assert.doesNotMatch(once, /stale/);
  assert.ok(once.endsWith("<!-- /bench:x -->\nb\n<!-- bench:y -->\n<!-- /bench:y -->\n"));
  assert.equal(withFigures(once, "x", [judged]), once);
  assert.throws(() => withFigures(page, "z", [judged]), /no block for z/);
});

test("the page of the benches has a block for each of them", async () => {
  const page = await readFile(join(import.meta.dirname, "../../bench/README.md"), "utf8");
  for (const { name } of benches) assert.match(withFigures(page, name, [judged]), /\*\*sample\*\*/);
});

test("a plot is an SVG document with every series in it, of times and of zeros", () => {
  const zeros = sampleResult({ name: "zeros", samples: new Map([["runlet", [0, 0]]]) });
  for (const result of [judged, zeros]) {
    const svg = plot(result);
    assert.match(svg, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    for (const text of [result.name, ...result.series.map(({ name }) => name)]) {
      assert.ok(svg.includes(`>${text}</text>`), `${text} is in the plot`);
    }
    assert.doesNotMatch(svg, /NaN|undefined/);
  }
});

const figures: [number, string][] = [
  [0, "0"],
  [0.01234, "0.0123"],
  [1, "1.00"],
  [12.345, "12.3"],
  [123.45, "123"],
  [12_345.6, "12346"],
];
for (const [value, text] of figures) {
  test(`${value} is written as ${text}`, () => assert.equal(figure(value), text));
}

test("a metric is summed over its labels, and is not mistaken for one with a longer name", () => {
  const page = [
    "# HELP runlet_pool_ready Started, unused containers",
    'runlet_pool_ready{class="a/b c"} 3',
    'runlet_pool_ready{class="d"} 4',
    'runlet_pool_ready_total{class="a"} 100',
    "runlet_pool_warm 2",
  ].join("\n");
  assert.equal(sumOf(page, "runlet_pool_ready"), 7);
  assert.equal(sumOf(page, "runlet_pool_warm"), 2);
  assert.equal(sumOf(page, "runlet_pool_starting"), 0);
});
