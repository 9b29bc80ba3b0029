import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type Account, type Permit, Scheduler } from "../../../runtime/pool/scheduler.ts";

const roomy = { queueLimit: 100, queueTimeoutMs: 60_000 };
const event: Account = { key: "f", isBackground: true };

test("slots that are reserved for a key are kept for it while it is idle, and are all that it gets", async (t) => {
  const { scheduler, served, ask } = asked(t, 4);
  scheduler.reserve("vip", 2);
  for (let count = 0; count < 3; count++) ask("other");
  for (let count = 0; count < 3; count++) ask("vip");
  assert.deepEqual(await served(), ["other", "other", "vip", "vip"]);
  assert.deepEqual([scheduler.running, scheduler.waiting, scheduler.unreserved], [4, 2, 2]);
});

test("a slot goes to those it is for: a reserved one to its key, any other to the others", async (t) => {
  const { scheduler, served, ask, release } = asked(t, 2);
  scheduler.reserve("vip", 1);
  for (const key of ["other", "other", "vip", "vip"]) ask(key);
  assert.deepEqual(await served(), ["other", "vip"]);
  release(1);
  assert.deepEqual(await served(), ["other", "vip", "vip"]);
  release(0);
  assert.deepEqual(await served(), ["other", "vip", "vip", "other"]);
});

test("a reservation that is made under load never makes more containers than slots", async (t) => {
  const { scheduler, served, ask, release } = asked(t, 2);
  for (const key of ["other", "other", "vip", "other"]) ask(key);
  scheduler.reserve("vip", 1);
  assert.deepEqual(await served(), ["other", "other"]);
  release(0);
  assert.deepEqual(await served(), ["other", "other", "vip"]);
  assert.equal(scheduler.running, 2);
  release(1);
  assert.deepEqual(await served(), ["other", "other", "vip", "other"]);
});

test("those who wait go on waiting when a reservation grows or ends", async (t) => {
  const { scheduler, served, ask } = asked(t, 3);
  scheduler.reserve("vip", 1);
  for (let count = 0; count < 3; count++) ask("vip");
  assert.equal((await served()).length, 1);
  scheduler.reserve("vip", 2);
  assert.equal((await served()).length, 2);
  scheduler.reserve("vip", undefined);
  assert.equal((await served()).length, 3);
  assert.deepEqual([scheduler.waiting, scheduler.unreserved], [0, 3]);
});

test("a reservation of none refuses its key, also who waits already, and nobody else", async (t) => {
  const { scheduler, served, ask } = asked(t, 1);
  ask("other");
  const waiting = scheduler.acquire(undefined, { key: "vip" });
  scheduler.reserve("vip", 0);
  const refusal = { code: "resource_exhausted", message: /no container slot is kept for it/ };
  await assert.rejects(waiting, refusal);
  await assert.rejects(scheduler.acquire(undefined, { key: "vip" }), refusal);
  await assert.rejects(scheduler.acquire(undefined, { key: "vip", isBackground: true }), refusal);
  assert.deepEqual([await served(), scheduler.waiting], [["other"], 0]);
});

test("who waits with a caller behind it goes before the background that came first", async (t) => {
  const { served, ask, release } = asked(t, 1);
  ask("f");
  for (let count = 0; count < 2; count++) ask(event);
  ask("f");
  assert.deepEqual(await served(), ["f"]);
  release(0);
  assert.deepEqual(await served(), ["f", "f"]);
  release(1);
  assert.deepEqual(await served(), ["f", "f", "f in background"]);
});

test("the background has each eighth slot however many callers wait", async (t) => {
  const { served, ask, release } = asked(t, 1);
  ask("f");
  for (let count = 0; count < 2; count++) ask(event);
  for (let count = 0; count < 30; count++) ask("f");
  for (let count = 0; count < 16; count++) {
    await served();
    release(count);
  }
  const order = (await served()).slice(1);
  const turns = [...order.entries()].filter(([, who]) => who !== "f").map(([turn]) => turn);
  assert.deepEqual(turns, [7, 15]);
});

test("the background never has the slots that are kept for callers, and takes none of their places", async (t) => {
  const { scheduler, served, ask } = asked(t, 3, { keptForCallers: 1, queueLimit: 1 });
  for (let count = 0; count < 4; count++) ask(event);
  assert.equal((await served()).length, 2);
  ask("f");
  assert.equal((await served()).length, 3);
  ask("f");
  await assert.rejects(scheduler.acquire(), { code: "resource_exhausted" });
  assert.equal(scheduler.waiting, 3);
});

/** A scheduler, and who got a permit of it in their order. */
function asked(
  t: TestContext,
  concurrency: number,
  more: Partial<ConstructorParameters<typeof Scheduler>[0]> = {},
): {
  scheduler: Scheduler;
  ask: (who: string | Account) => void;
  release: (index: number) => void;
  served: () => Promise<readonly string[]>;
} {
  const scheduler = new Scheduler({ ...roomy, concurrency, ...more });
  const names: string[] = [];
  const permits: Permit[] = [];
  const end = new AbortController();
  t.after(() => end.abort());
  return {
    scheduler,
    ask(who) {
      const account = typeof who === "string" ? { key: who } : who;
      const name = account.isBackground ? `${account.key} in background` : account.key;
      const got = (permit: Permit): void => {
        names.push(name);
        permits.push(permit);
      };
      void scheduler.acquire(end.signal, account).then(got, () => {});
    },
    release: (index) => permits[index]?.[Symbol.dispose](),
    async served() {
      await setImmediate();
      return [...names];
    },
  };
}
