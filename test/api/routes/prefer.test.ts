import assert from "node:assert/strict";
import { test } from "node:test";
import { prefersAsync } from "../../../api/routes/prefer.ts";

const preferences: [header: string | undefined, isAsync: boolean][] = [
  [undefined, false],
  ["", false],
  ["respond-async", true],
  ["Respond-Async", true],
  ["return=minimal, respond-async; wait=10", true],
  ["wait=10,respond-async", true],
  ["respond-asynchronously", false],
  ["handling=respond-async", false],
];

for (const [header, isAsync] of preferences) {
  test(`Prefer ${JSON.stringify(header)} ${isAsync ? "asks" : "does not ask"} for no wait`, () => {
    assert.equal(prefersAsync(header), isAsync);
  });
}
