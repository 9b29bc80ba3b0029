import assert from "node:assert/strict";
import { test } from "node:test";
import { parentSpanOf, traceparentOf } from "../../../api/domain/trace.ts";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const parent = "00f067aa0ba902b7";

const headers: { header: string | undefined; isValid: boolean }[] = [
  { header: `00-${trace}-${parent}-01`, isValid: true },
  { header: `cc-${trace}-${parent}-01-what-comes-later`, isValid: true },
  { header: undefined, isValid: false },
  { header: "", isValid: false },
  { header: `00-${trace}-${parent}-01-more`, isValid: false },
  { header: `ff-${trace}-${parent}-01`, isValid: false },
  { header: `00-${trace.toUpperCase()}-${parent}-01`, isValid: false },
  { header: `00-${"0".repeat(32)}-${parent}-01`, isValid: false },
  { header: `00-${trace}-${"0".repeat(16)}-01`, isValid: false },
  { header: `00-${trace.slice(1)}-${parent}-01`, isValid: false },
];
for (const { header, isValid } of headers) {
  test(`the traceparent ${header} ${isValid ? "names" : "does not name"} a trace`, () => {
    const span = { id: trace, spanId: parent, isSampled: true };
    assert.deepEqual(parentSpanOf(header), isValid ? span : undefined);
  });
}

test("what an invocation passes on names it, in its caller's trace or one of its own, sampled as that one", () => {
  const id = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";
  const unsampled = parentSpanOf(`00-${trace}-${parent}-02`);
  assert.equal(unsampled?.isSampled, false);
  assert.equal(traceparentOf(id, unsampled), `00-${trace}-8e4f5a6b7c8d9e0f-00`);
  assert.equal(traceparentOf(id), "00-019a3c1e6f2b7c3d8e4f5a6b7c8d9e0f-8e4f5a6b7c8d9e0f-01");
});
