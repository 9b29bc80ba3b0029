import assert from "node:assert/strict";
import { test } from "node:test";
import { torture } from "./torture.ts";

/** `npm run torture` kills more often. */
const kills = 2;

test("whenever it is killed, a server holds to what it has told, and leaves nothing behind", async () => {
  const { answered } = await torture(kills);
  assert.ok(answered > 0);
});
