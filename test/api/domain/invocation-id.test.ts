import assert from "node:assert/strict";
import { test } from "node:test";
import { idsFrom, newInvocationId } from "../../../api/domain/invocation-id.ts";

const v7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("ids are UUIDs of version 7, in the order in which they were made, also within a millisecond", () => {
  const ids = Array.from({ length: 20_000 }, newInvocationId);
  for (const id of ids) assert.match(id, v7);
  assert.deepEqual(ids, ids.toSorted());
  assert.equal(new Set(ids).size, ids.length);
});

test("an id begins with the time", () => {
  const before = Date.now();
  const time = Number.parseInt(newInvocationId().replace("-", "").slice(0, 12), 16);
  // A burst of ids runs ahead of the clock by a millisecond for every 4096 of them.
  assert.ok(time >= before && time <= Date.now() + 10);
});

test("the ids of a moment are greater than what they begin with, and those before it are smaller", () => {
  const id = newInvocationId();
  const atMs = Number.parseInt(id.replace("-", "").slice(0, 12), 16);
  assert.ok(id > idsFrom(atMs) && id > idsFrom(atMs - 1) && id < idsFrom(atMs + 1));
  assert.equal(idsFrom(0), "00000000-0000");
});
