import assert from "node:assert/strict";
import { test } from "node:test";
import { moments, torture } from "./torture.ts";

/** `npm run torture` kills more often. */
const kills = moments.length;

test("whenever it is killed, a server holds to what it has told, and leaves nothing behind", async () => {
  const { answered } = await torture(kills);
  assert.ok(answered > 0);
});
