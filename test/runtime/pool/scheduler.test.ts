import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { within } from "../../../runtime/deadline.ts";
import { type Permit, Scheduler } from "../../../runtime/pool/scheduler.ts";

const roomy = { concurrency: 2, queueLimit: 100, queueTimeoutMs: 60_000 };

test("no more permits are out at once than there is room for", async () => {
  const scheduler = new Scheduler({ ...roomy, concurrency: 3 });
  let out = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 30 }, async (_, index) => {
      using _permit = await scheduler.acquire();
      most = Math.max(most, ++out);
      await new Promise((done) => {
        setTimeout(done, index % 4);
      });
      out--;
    }),
  );
  assert.equal(most, 3);
  await scheduler.idle();
  assert.deepEqual([scheduler.running, scheduler.waiting], [0, 0]);
});

test("callers are served in the order in which they came", async () => {
  const scheduler = new Scheduler({ ...roomy, concurrency: 1 });
  const first = await scheduler.acquire();
  const served: number[] = [];
  const waiting = [1, 2, 3, 4].map(async (n) => {
    using _permit = await scheduler.acquire();
    served.push(n);
  });
  first[Symbol.dispose]();
  await Promise.all(waiting);
  assert.deepEqual(served, [1, 2, 3, 4]);
});

test("a flood under one key delays who comes under another by one turn", async () => {
  const scheduler = new Scheduler({ ...roomy, concurrency: 1 });
  const first = await scheduler.acquire();
  const served: string[] = [];
  const callers = [...Array.from({ length: 20 }, () => "flood"), "quiet", "quiet"];
  const waiting = callers.map(async (key) => {
    using _permit = await scheduler.acquire(undefined, { key });
    served.push(key);
  });
  first[Symbol.dispose]();
  await Promise.all(waiting);
  assert.deepEqual(served.slice(0, 4), ["flood", "quiet", "flood", "quiet"]);
});

test("one key takes no more than half of the places, and no more than its own bound", async () => {
  const places = { queueLimit: 4, shareOfPlaces: 0.5 };
  const scheduler = new Scheduler({ ...roomy, concurrency: 1, ...places });
  const caller = new AbortController();
  const first = await scheduler.acquire();
  const wait = async (key: string, queueLimit?: number): Promise<void> => {
    using _permit = await scheduler.acquire(caller.signal, { key, queueLimit });
  };
  const isRefused = async (fact: RegExp, key: string, queueLimit?: number): Promise<void> => {
    // It can be told before anybody asks, too.
    assert.match(scheduler.refusalOf({ key, queueLimit })?.message ?? "", fact);
    await assert.rejects(wait(key, queueLimit), { code: "resource_exhausted", message: fact });
  };
  const waiting = [wait("a"), wait("a"), wait("b", 1)];
  const full = /^Cannot run now: \d invocations are waiting already/;
  await isRefused(full, "a");
  await isRefused(full, "b", 1);
  assert.equal(scheduler.refusalOf({ key: "c" }), undefined);
  waiting.push(wait("c"));
  await isRefused(/4 invocations of all functions are waiting already/, "d");
  first[Symbol.dispose]();
  await Promise.all(waiting);
});

test("other bounds count what runs and who waits already", async () => {
  const scheduler = new Scheduler({ ...roomy, concurrency: 2 });
  const permits = [await scheduler.acquire(), await scheduler.acquire()];
  const waiting = [scheduler.acquire(), scheduler.acquire()];
  scheduler.resize({ concurrency: 1, queueLimit: 2 });
  await assert.rejects(scheduler.acquire(), { message: /2 invocations are waiting already/ });
  permits.pop()?.[Symbol.dispose]();
  assert.deepEqual([scheduler.running, scheduler.waiting], [1, 2]);
  scheduler.resize({ concurrency: 3, queueLimit: 0 });
  assert.deepEqual([scheduler.running, scheduler.waiting], [3, 0]);
  assert.equal(scheduler.hasRoom, false);
  for (const permit of [...permits, ...(await Promise.all(waiting))]) permit[Symbol.dispose]();
  await scheduler.idle();
});

test("a permit that is released twice makes room once", async () => {
  const scheduler = new Scheduler({ ...roomy, concurrency: 1 });
  const first = await scheduler.acquire();
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  const second = await scheduler.acquire();
  const third = scheduler.acquire();
  assert.deepEqual([scheduler.running, scheduler.waiting], [1, 1]);
  second[Symbol.dispose]();
  (await third)[Symbol.dispose]();
});

test("a caller that finds the queue full is refused at once", async () => {
  const scheduler = new Scheduler({ ...roomy, concurrency: 1, queueLimit: 1 });
  const first = await scheduler.acquire();
  const second = scheduler.acquire();
  await assert.rejects(scheduler.acquire(), {
    code: "resource_exhausted",
    message: /1 invocations are waiting already/,
  });
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
});

test("a queue of no places still serves those for whom there is room", async () => {
  const scheduler = new Scheduler({ ...roomy, concurrency: 1, queueLimit: 0 });
  const first = await scheduler.acquire();
  await assert.rejects(scheduler.acquire(), { code: "resource_exhausted" });
  first[Symbol.dispose]();
  await scheduler.idle();
  (await scheduler.acquire())[Symbol.dispose]();
});

test("a caller that waits too long is refused, and its place is free", async () => {
  const scheduler = new Scheduler({ concurrency: 1, queueLimit: 1, queueTimeoutMs: 20 });
  const first = await scheduler.acquire();
  await assert.rejects(scheduler.acquire(), {
    code: "resource_exhausted",
    message: /within 20 ms/,
  });
  assert.equal(scheduler.waiting, 0);
  first[Symbol.dispose]();
  (await scheduler.acquire())[Symbol.dispose]();
});

test("a caller that gives up gets its own reason and never a permit", async () => {
  const scheduler = new Scheduler({ ...roomy, concurrency: 1 });
  const first = await scheduler.acquire();
  const caller = new AbortController();
  const waiting = scheduler.acquire(caller.signal);
  const reason = new Error("gave up");
  caller.abort(reason);
  await assert.rejects(waiting, reason);
  assert.equal(scheduler.waiting, 0);
  await assert.rejects(scheduler.acquire(caller.signal), reason);
  first[Symbol.dispose]();
  await scheduler.idle();
});

test("a caller that gives up after it was served keeps its permit until it releases it", async () => {
  const scheduler = new Scheduler({ ...roomy, concurrency: 1 });
  const caller = new AbortController();
  const permit: Permit = await scheduler.acquire(caller.signal);
  caller.abort();
  assert.equal(scheduler.running, 1);
  const next = scheduler.acquire();
  assert.equal(scheduler.waiting, 1);
  permit[Symbol.dispose]();
  (await next)[Symbol.dispose]();
});

test("a scheduler is idle only when the last permit is back and nobody waits", async () => {
  const scheduler = new Scheduler({ ...roomy, concurrency: 1 });
  const first = await scheduler.acquire();
  const second = scheduler.acquire();
  const done = Promise.withResolvers<string>();
  void scheduler.idle().then(() => done.resolve("idle"));
  first[Symbol.dispose]();
  const permit = await second;
  assert.equal(await Promise.race([done.promise, setImmediate("busy")]), "busy");
  permit[Symbol.dispose]();
  assert.equal(await within(done.promise, "see it idle", 5_000), "idle");
});
