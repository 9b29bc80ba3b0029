import assert from "node:assert/strict";
import { test } from "node:test";
import { soak } from "./soak.ts";

/** `npm run soak` loads for longer, and looks for drift too. */
const enough = { forMs: 1000, invocations: 40, sandboxes: 3 };

test("a server that has been under mixed load has no more of the host than before", async () => {
  const { tally, kept, surprises } = await soak({
    ...enough,
    warmUpMs: 1000,
    keepAliveMs: 1000,
    sampleEveryMs: 1000,
    idleTimeoutMs: 40_000,
    // Code is still being compiled.
    moreMemoryBytes: 64 * 1024 * 1024,
    stock: 2,
  });
  assert.ok(tally.answered + tally.accepted >= enough.invocations);
  assert.ok(tally.sandboxes >= enough.sandboxes);
  assert.deepEqual(surprises, []);
  assert.deepEqual(
    kept.filter(({ holds }) => !holds),
    [],
  );
});
