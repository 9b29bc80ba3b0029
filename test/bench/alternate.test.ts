import assert from "node:assert/strict";
import { test } from "node:test";
import { alternate } from "../../bench/harness/alternate.ts";
import { rateOf } from "../../bench/harness/rate.ts";

const quiet = { progress: (): void => undefined, signal: new AbortController().signal };

function noting(log: string[], name: string, samples: number) {
  return { name, samples, sample: async () => log.push(name) };
}

test("contestants take turns, each in as many rounds, and get as many samples as they want", async () => {
  const log: string[] = [];
  const contestants = [noting(log, "a", 4), noting(log, "b", 2)];
  const samples = await alternate(contestants, { ...quiet, rounds: 2 });
  assert.deepEqual(log, ["a", "a", "b", "a", "a", "b"]);
  assert.deepEqual([samples.get("a")?.length, samples.get("b")?.length], [4, 2]);
});

test("a contestant settles before each chunk and after its turn", async () => {
  const log: string[] = [];
  const settle = async (): Promise<void> => void log.push("settle");
  const contestant = { ...noting(log, "a", 3), settle };
  await alternate([contestant], { ...quiet, rounds: 1 });
  assert.deepEqual(log.splice(0), ["settle", "a", "a", "a", "settle"]);
  await alternate([{ ...contestant, chunk: 2 }], { ...quiet, rounds: 1 });
  assert.deepEqual(log, ["settle", "a", "a", "settle", "a", "settle"]);
});

test("what runs beside a contestant starts once it has settled, and has ended before it settles again", async () => {
  const log: string[] = [];
  const beside = async (): Promise<AsyncDisposable> => {
    log.push("start");
    return { [Symbol.asyncDispose]: async () => void log.push("end") };
  };
  const settle = async (): Promise<void> => void log.push("settle");
  await alternate([{ ...noting(log, "a", 2), settle, beside }], { ...quiet, rounds: 1 });
  assert.deepEqual(log, ["settle", "start", "a", "a", "end", "settle"]);
});

test("what is sampled while a turn warms up does not count, whoever's turn it is", async (t) => {
  let clockMs = 0;
  t.mock.method(performance, "now", () => clockMs);
  const sampling = (name: string) => {
    return { name, samples: 2, sample: async () => (clockMs += 4) };
  };
  const options = { ...quiet, rounds: 2, warmUpMs: 10 };
  const samples = await alternate([sampling("a"), sampling("b")], options);
  assert.deepEqual(samples.get("a"), [16, 48]);
  assert.deepEqual(samples.get("b"), [32, 64]);
});

test("an abort ends the turns with its reason", async () => {
  const controller = new AbortController();
  const sample = async (): Promise<number> => {
    controller.abort(new Error("enough"));
    return 1;
  };
  const options = { ...quiet, signal: controller.signal };
  await assert.rejects(alternate([{ name: "a", samples: 9, sample }], options), /enough/);
});

test("a rate counts what came to its end, with never more at once than asked for", async (t) => {
  let clockMs = 0;
  t.mock.method(performance, "now", () => clockMs);
  let now = 0;
  let most = 0;
  let done = 0;
  const one = async (): Promise<void> => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    done++;
    clockMs += 2;
  };
  const rate = await rateOf(one, { concurrency: 3, windowMs: 30, signal: quiet.signal });
  assert.equal(most, 3);
  assert.equal(rate, done / (clockMs / 1000));
  assert.ok(done >= 15 && done < 18, `${done}`);
});

test("a rate of what fails is no rate", async () => {
  const options = { concurrency: 2, windowMs: 30, signal: quiet.signal };
  const broken = Promise.reject(new Error("broken"));
  await assert.rejects(
    rateOf(() => broken, options),
    /broken/,
  );
});
