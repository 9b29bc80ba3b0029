import assert from "node:assert/strict";
import { test } from "node:test";
import { soak } from "./soak.ts";

/** `npm run soak` loads for longer, and looks for drift too. */
const enough = { invocations: 40, sandboxes: 3 };

test("a server that has been under mixed load has no more of the host than before", async () => {
  const { tally, kept, surprises } = await soak({
    isEnough: ({ answered, sandboxes }) =>
      answered >= enough.invocations && sandboxes >= enough.sandboxes,
    warmUpMs: 1000,
    sampleEveryMs: 1000,
    idleTimeoutMs: 40_000,
    // Code is still being compiled.
    moreMemoryBytes: 64 * 1024 * 1024,
    stock: 2,
  });
  assert.ok(tally.answered >= enough.invocations);
  assert.deepEqual(surprises, []);
  assert.deepEqual(
    kept.filter(({ holds }) => !holds),
    [],
  );
});
