import assert from "node:assert/strict";
import { test } from "node:test";
import { traceIdOfParent } from "../../../api/domain/trace.ts";

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
    assert.equal(traceIdOfParent(header), isValid ? trace : undefined);
  });
}
