import assert from "node:assert/strict";
import { test } from "node:test";
import { Excerpt, shown } from "../../../api/mcp/text.ts";

const letters = "abcdefghijklmnopqrstuvwxyz";
const cases: [string, string][] = [
  ["abcdefghij", "abcdefghij"],
  ["abcdefghijk", "abcde\n[… 1 characters left out …]\nghijk"],
  [letters, "abcde\n[… 16 characters left out …]\nvwxyz"],
];
for (const [text, expected] of cases) {
  test(`of ${text.length} characters ten are shown, in however many pieces they come`, () => {
    assert.deepEqual(shown(text, 10), { text: expected, isCut: text.length > 10 });
    for (let size = 1; size <= text.length; size++) {
      const excerpt = new Excerpt(10);
      for (let at = 0; at < text.length; at += size) excerpt.add(text.slice(at, at + size));
      assert.deepEqual(excerpt.shown.text, expected, `in pieces of ${size}`);
    }
  });
}

test("a text that never ends takes no more memory than what is shown of it", () => {
  const excerpt = new Excerpt();
  const piece = Buffer.alloc(1024 * 1024, "runlet");
  const heapBefore = process.memoryUsage().heapUsed;
  for (let left = 300; left > 0; left--) excerpt.add(piece.toString("latin1"));
  assert.ok(excerpt.shown.isCut);
  const grownMb = (process.memoryUsage().heapUsed - heapBefore) / 1024 / 1024;
  assert.ok(grownMb < 150, `${grownMb} MiB more`);
});
