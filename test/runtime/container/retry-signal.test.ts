import assert from "node:assert/strict";
import { syncBuiltinESMExports } from "node:module";
import { mock, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { retrySignal } from "../../../runtime/container/retry-signal.ts";
import { RunletError } from "../../../runtime/errors.ts";

test("row 14: tries come after about 0, 100, 300 and 700 ms", async () => {
  const { times, result } = await play(3);
  assert.deepEqual(times, [0, 100, 300, 700]);
  assert.equal(result, undefined);
});

test("row 15: a signal that is always refused ends as a kill timeout within a second", async () => {
  const { times, result, endedAtMs } = await play(Infinity);
  assert.equal(times.length, 4);
  assert.ok(endedAtMs <= 1_000);
  assert.ok(result instanceof RunletError);
  assert.equal(result.code, "deadline_exceeded");
  assert.equal(result.message, "Cannot send SIGHUP to container x: kill timeout: refusal 4");
});

test("a process that is not there is not tried again", async () => {
  const error = new RunletError("not_found", "no such process");
  const attempt = mock.fn(async () => await Promise.reject(error));
  await assert.rejects(retrySignal({ what: "send", timeoutMs: 1_000, attempt }), error);
  assert.equal(attempt.mock.callCount(), 1);
});

test("an abort ends the tries with its own reason", async () => {
  const controller = new AbortController();
  const attempt = async (): Promise<void> => {
    controller.abort(new Error("enough"));
    await Promise.reject(new Error("refused"));
  };
  const { signal } = controller;
  await assert.rejects(retrySignal({ what: "send", timeoutMs: 1_000, attempt, signal }), /enough/);
});

/** Lets the first `refusals` tries fail and moves a clock of our own in steps of 10 ms. */
async function play(
  refusals: number,
): Promise<{ times: number[]; result: unknown; endedAtMs: number }> {
  mock.timers.enable({ apis: ["setTimeout"] });
  syncBuiltinESMExports();
  try {
    let nowMs = 0;
    const progress = { isOver: false };
    const times: number[] = [];
    const attempt = async (): Promise<void> => {
      times.push(nowMs);
      if (times.length <= refusals) throw new Error(`refusal ${times.length}`);
    };
    const what = "send SIGHUP to container x";
    const result = retrySignal({ what, timeoutMs: 5_000, attempt })
      .catch((error: unknown) => error)
      .finally(() => {
        progress.isOver = true;
      });
    while (!progress.isOver && nowMs < 2_000) {
      for (let turns = 0; turns < 5; turns++) await turn();
      if (progress.isOver) break;
      mock.timers.tick(10);
      nowMs += 10;
    }
    return { times, result: await result, endedAtMs: nowMs };
  } finally {
    mock.timers.reset();
    syncBuiltinESMExports();
  }
}
