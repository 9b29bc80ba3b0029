import assert from "node:assert/strict";
import { test } from "node:test";
import { poll } from "../../../runtime/deadline.ts";
import { Quiet } from "../../../runtime/pool/quiet.ts";

const pauseMs = 40;
const timeoutMs = 5000;

test("work waits until nothing is taken any more, and is done once", async () => {
  const doneAtMs: number[] = [];
  using quiet = new Quiet({ pauseMs, work: () => doneAtMs.push(performance.now()) });
  quiet.ask();
  const lastTakeMs = await keepTaking(quiet, 3 * pauseMs);
  const done = (): true | undefined => (doneAtMs.length > 0 ? true : undefined);
  await poll("see the work done", done, { timeoutMs });
  // A timer may fire a millisecond early by this clock.
  assert.ok((doneAtMs[0] ?? 0) >= lastTakeMs + pauseMs - 2);
  await poll("see a calm", () => (quiet.isCalm ? true : undefined), { timeoutMs });
  assert.equal(doneAtMs.length, 1);
});

test("a take tells work that is under way to stop, until the next pause", async () => {
  using quiet = new Quiet({ pauseMs, work: () => undefined });
  quiet.disturb();
  assert.equal(quiet.isCalm, false);
  await poll("see a calm", () => (quiet.isCalm ? true : undefined), { timeoutMs });
});

/** Answers the moment of the last take. */
async function keepTaking(quiet: Quiet, forMs: number): Promise<number> {
  const endMs = performance.now() + forMs;
  const take = (): number | undefined => {
    quiet.disturb();
    const now = performance.now();
    return now > endMs ? now : undefined;
  };
  return await poll("take for a while", take, { timeoutMs, intervalMs: 5 });
}
