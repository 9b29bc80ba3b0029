import assert from "node:assert/strict";
import { test } from "node:test";
import { FairLine } from "../../../runtime/pool/fair-line.ts";

test("keys take turns, and within a key the first who came goes first", () => {
  const line = new FairLine<string>();
  for (const waiter of ["a1", "a2", "a3", "a4"]) line.add("a", waiter);
  line.add("b", "b1");
  line.add("b", "b2");
  line.add("c", "c1");
  assert.deepEqual([line.size, line.sizeOf("a"), line.sizeOf("nobody")], [7, 4, 0]);
  const order = Array.from({ length: 8 }, () => line.next());
  assert.deepEqual(order, ["a1", "b1", "c1", "a2", "b2", "a3", "a4", undefined]);
  assert.equal(line.size, 0);
});

test("who leaves is passed over, and a key without anybody has no turn", () => {
  const line = new FairLine<string>();
  line.add("a", "a1");
  line.add("a", "a2");
  line.add("b", "b1");
  line.remove("a", "a1");
  line.remove("b", "b1");
  line.remove("b", "b1");
  line.remove("nobody", "a2");
  assert.deepEqual([line.size, line.sizeOf("b")], [1, 0]);
  assert.deepEqual([line.next(), line.next()], ["a2", undefined]);
});

test("all of a key leave in their order, and the others keep their turns", () => {
  const line = new FairLine<string>();
  for (const waiter of ["a1", "b1", "a2", "b2"]) line.add(waiter.slice(0, 1), waiter);
  assert.deepEqual(line.takeAll("a"), ["a1", "a2"]);
  assert.deepEqual(line.takeAll("a"), []);
  assert.deepEqual([line.size, line.sizeOf("a"), line.next(), line.next()], [2, 0, "b1", "b2"]);
});
