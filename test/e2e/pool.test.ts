import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { poll } from "../../runtime/deadline.ts";
import { amount } from "../support/amount.ts";
import {
  frozenSandboxesOf,
  leftoversOf,
  sandboxesOf,
  sandboxPidsOf,
} from "../support/sandboxes.ts";
import { ready, stocked } from "../support/stock.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const source = "let calls = 0; export const handler = () => ++calls;";
const counter: FunctionSpecInput = { runtime: "node", code: { source } };
const timeoutMs = 60_000;

test("a fresh invocation takes a container from stock that nobody used, and the stock refills", async () => {
  await using server = await startTestServer({ overrides: { poolFloor: 2, poolMax: 4 } });
  await server.client.deploy("counter", counter);
  for (let round = 0; round < 3; round++) {
    await stocked(server, 2);
    const answer = await server.client.invoke("counter");
    assert.equal(answer.start, "pooled");
    assert.equal(text(answer.body), "1");
  }
  const { items } = await server.client.invocations();
  assert.equal(new Set(items.map(({ containerId }) => containerId)).size, 3);
});

test("an empty pool starts a container for who asks", async () => {
  await using server = await startTestServer();
  await server.client.deploy("counter", counter);
  const answer = await server.client.invoke("counter");
  assert.equal(answer.start, "cold");
});

test("reuse keeps a container for its version alone, and lets it go after its time", async () => {
  await using server = await startTestServer({ overrides: { poolMax: 4 } });
  const reused: FunctionSpecInput = { ...counter, isolation: "reuse", keepAliveMs: 3000 };
  await server.client.deploy("counter", reused);
  const warmCall = async (): Promise<[boolean, string]> => {
    const { start, body } = await server.client.invoke("counter");
    return [start === "warm", text(body)];
  };
  assert.deepEqual(await warmCall(), [false, "1"]);
  assert.deepEqual(await warmCall(), [true, "2"]);
  assert.deepEqual(await warmCall(), [true, "3"]);
  await server.client.deploy("counter", { ...reused, env: { NEW: "1" } });
  assert.deepEqual(await warmCall(), [false, "1"]);
  const probe = async (): Promise<true | undefined> =>
    (await ready(server)).get("warm") === 0 ? true : undefined;
  await poll("see it go", probe, { timeoutMs });
});

test("a warm container that was left alone long enough to be frozen still answers", async () => {
  await using server = await startTestServer({ overrides: { poolMax: 4 } });
  await server.client.deploy("counter", { ...counter, isolation: "reuse" });
  await server.client.invoke("counter");
  await poll(
    "see it frozen",
    () => (frozenSandboxesOf(server.config.stateDir).length > 0 ? true : undefined),
    { timeoutMs },
  );
  const { start, body } = await server.client.invoke("counter");
  assert.deepEqual([start, text(body)], ["warm", "2"]);
});

test("a provisioned function is loaded before it is called", async () => {
  await using server = await startTestServer({ overrides: { poolMax: 4 } });
  const at = "const loadedAt = Date.now(); export const handler = () => loadedAt;";
  await server.client.deploy("early", { runtime: "node", provisioned: 1, code: { source: at } });
  await stocked(server, 1, "early:1 provisioned");
  const calledAt = Date.now();
  const { start, body } = await server.client.invoke("early");
  assert.equal(start, "pooled");
  assert.ok(Number(text(body)) < calledAt);
});

test("a busy function finds its code loaded in a container that nobody used", async () => {
  await using server = await startTestServer({ overrides: { poolFloor: 2, poolMax: 6 } });
  const at =
    "const loadedAt = Date.now(); let calls = 0; export const handler = () => [++calls, loadedAt];";
  await server.client.deploy("busy", { runtime: "node", code: { source: at } });
  for (let call = 0; call < 2; call++) await server.client.invoke("busy");
  for (let call = 0; call < 2; call++) {
    await stocked(server, 1, "busy:1 primed");
    const calledAt = Date.now();
    const { start, body } = await server.client.invoke("busy");
    const [calls, loadedAt] = JSON.parse(text(body)) as [number, number];
    assert.deepEqual([start, calls], ["pooled", 1]);
    assert.ok(loadedAt < calledAt);
  }
  const { items } = await server.client.invocations({ function: "busy" });
  assert.equal(new Set(items.map(({ containerId }) => containerId)).size, 4);
  assert.ok(items[0] !== undefined && items[0].initUs === undefined, "nothing was loaded for it");
});

test("a container with code loaded ahead that has died is replaced before anybody asks", async () => {
  await using server = await startTestServer({ overrides: { poolFloor: 2, poolMax: 6 } });
  await server.client.deploy("busy", says("hello"));
  for (let call = 0; call < 2; call++) await server.client.invoke("busy");
  await stocked(server, 1, "busy:1 primed");
  const before = sandboxesOf(server.config.stateDir);
  for (const pid of sandboxPidsOf(server.config.stateDir)) process.kill(pid, "SIGKILL");
  const areGone = (): boolean => {
    const left = leftoversOf(server.config.stateDir).join("\n");
    return before.every((id) => !left.includes(id));
  };
  await poll("see the dead gone", () => areGone() || undefined, { timeoutMs });
  await stocked(server, 1, "busy:1 primed");
  const { start, invocationId } = await server.client.invoke("busy");
  assert.equal(start, "pooled");
  assert.equal((await server.client.invocation(invocationId)).initUs, undefined);
});

test("a function that is deployed again never runs in what was loaded for the version before", async () => {
  await using server = await startTestServer({ overrides: { poolFloor: 2, poolMax: 6 } });
  await server.client.deploy("says", says("old"));
  for (let call = 0; call < 2; call++) await server.client.invoke("says");
  await stocked(server, 1, "says:1 primed");
  await server.client.deploy("says", says("new"));
  assert.equal(text((await server.client.invoke("says")).body), "new");
});

test("a used container is ended once nobody is in a hurry, and its exit is on record", async () => {
  await using server = await startTestServer({ overrides: { poolFloor: 2, poolMax: 4 } });
  await server.client.deploy("counter", counter);
  const { invocationId } = await server.client.invoke("counter");
  const probe = async (): Promise<string | undefined> => {
    return (await server.client.invocation(invocationId)).exitReason;
  };
  assert.equal(await poll("see its exit", probe, { timeoutMs }), "exited");
  const metrics = await (await server.fetch("/metrics")).text();
  assert.match(metrics, /^runlet_pool_retired 0$/m);
});

test("members that are killed from outside at random under load cost no caller an error", async () => {
  await using server = await startTestServer({ overrides: { poolFloor: 4, poolMax: 8 } });
  await server.client.deploy("counter", counter);
  await stocked(server, 4);
  for (let call = 0; call < amount({ short: 4, long: 12 }); call++) {
    process.kill(await anyMember(server), "SIGKILL");
    const calls = [1, 2].map(async () => await server.client.invoke("counter"));
    for (const { status, body } of await Promise.all(calls)) {
      assert.deepEqual([status, text(body)], [200, "1"]);
    }
  }
});

test("a function's own concurrency bounds how many of it run at once", async () => {
  await using server = await startTestServer();
  const nap: FunctionSpecInput = { runtime: "command", command: ["sleep", "0.3"], concurrency: 1 };
  await server.client.deploy("nap", nap);
  await Promise.all([1, 2, 3].map(async () => await server.client.invoke("nap")));
  const { items } = await server.client.invocations();
  const spans = items.map(({ startedAtUs = 0, exitedAtUs = 0 }) => [startedAtUs, exitedAtUs]);
  spans.sort(([a = 0], [b = 0]) => a - b);
  for (const [index, [start = 0]] of spans.entries()) {
    // The exit is noted in whole milliseconds.
    if (index > 0) assert.ok(start + 1000 >= (spans[index - 1]?.[1] ?? 0), "two ran at once");
  }
});

test("a function that takes more memory than it may is ended with reason oom", async () => {
  await using server = await startTestServer();
  const hog =
    "const all = []; export const handler = () => { for (;;) all.push(Buffer.alloc(8e6, 1)); };";
  const memoryBytes = 64 * 1024 * 1024;
  await server.client.deploy("hog", { runtime: "node", memoryBytes, code: { source: hog } });
  await assert.rejects(server.client.invoke("hog"), { code: "function_error" });
  const { items } = await server.client.invocations({ function: "hog" });
  assert.equal(items[0]?.exitReason, "oom");
});

function says(what: string): FunctionSpecInput {
  return { runtime: "node", code: { source: `export const handler = () => "${what}";` } };
}

/** A random member of a stock. A sandbox that is coming up is stopped for a moment, too: a member is so for longer. */
async function anyMember(server: TestServer): Promise<number> {
  let before: number[] = [];
  const probe = (): number | undefined => {
    const frozen = frozenSandboxesOf(server.config.stateDir);
    const members = frozen.filter((pid) => before.includes(pid));
    before = frozen;
    return members[Math.floor(Math.random() * members.length)];
  };
  return await poll("find a member", probe, { timeoutMs, intervalMs: 100 });
}

function text(body: Uint8Array): string {
  return Buffer.from(body).toString();
}
