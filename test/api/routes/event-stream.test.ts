import assert from "node:assert/strict";
import { test } from "node:test";
import { eventStream } from "../../../api/routes/event-stream.ts";

test("a follower that fails is let go, and so is its reader", async () => {
  let isDisposed = false;
  const response = eventStream({
    next: async () => await Promise.reject(new Error("the record cannot be read")),
    [Symbol.dispose]: () => (isDisposed = true),
  });
  await assert.rejects(response.text(), /cannot be read/);
  assert.ok(isDisposed);
});
