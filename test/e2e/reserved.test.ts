import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { poll } from "../../runtime/deadline.ts";
import { call } from "../support/call.ts";
import { startChildServer } from "../support/child-server.ts";
import { eventIn } from "../support/events.ts";
import { problemIn, problemOf } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { tempDir } from "../support/temp-dir.ts";

const endless: FunctionSpecInput = { runtime: "command", command: ["sleep", "600"] };
const quick: FunctionSpecInput = { runtime: "command", command: ["true"] };

test("a function has its reserved slots though others have called for all there are", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 3 } });
  await server.client.deploy("vip", quick);
  await server.client.deploy("flood", endless);
  await server.client.setConcurrency("vip", { reserved: 1 });
  const flood = Array.from({ length: 6 }, async () => await call(server, "flood"));
  await running(server, "flood", 2);
  assert.equal((await call(server, "vip")).status, 200);
  assert.equal((await server.client.invocations({ function: "flood" })).items.length, 2);
  await cancelAll(server, "flood", 6);
  for (const response of await Promise.all(flood)) assert.equal(response.status, 499);
});

test("a function gets no more than its reserved slots though all others are free", async () => {
  await using server = await startTestServer({
    overrides: { maxConcurrency: 4, queueTimeoutMs: 500 },
  });
  await server.client.deploy("vip", endless);
  await server.client.setConcurrency("vip", { reserved: 1 });
  const held = call(server, "vip");
  await running(server, "vip", 1);
  const problem = await problemIn(await call(server, "vip"));
  assert.deepEqual([problem.status, problem.code], [429, "resource_exhausted"]);
  await cancelAll(server, "vip", 1);
  await held;
});

test("a reservation and a function's own bound both hold", async () => {
  await using server = await startTestServer({
    overrides: { maxConcurrency: 4, queueTimeoutMs: 500 },
  });
  await server.client.deploy("vip", { ...endless, concurrency: 1 });
  await server.client.setConcurrency("vip", { reserved: 3 });
  const held = call(server, "vip");
  await running(server, "vip", 1);
  assert.equal((await call(server, "vip")).status, 429);
  await cancelAll(server, "vip", 1);
  await held;
});

test("a function's bounds are those of its latest version, whichever one is called, and count what ran before it", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 8 } });
  const { client } = server;
  await client.deploy("f", { ...endless, concurrency: 2 });
  const held = [call(server, "f"), call(server, "f")];
  await running(server, "f", 2);
  const isFull = async (name: string): Promise<void> => {
    const { status, detail } = await problemIn(await call(server, name));
    assert.equal(status, 429);
    assert.match(detail, /0 invocations are waiting already/);
  };
  for (const concurrency of [2, 1]) {
    await client.deploy("f", { ...endless, concurrency, queueLimit: 0 });
    for (const name of ["f", "f:1"]) await isFull(name);
  }
  await client.deploy("f", { ...endless, concurrency: 3, queueLimit: 0 });
  held.push(call(server, "f:1"));
  await running(server, "f", 3);
  await isFull("f");
  await client.deploy("f", endless);
  held.push(call(server, "f"));
  await running(server, "f", 4);
  await cancelAll(server, "f", held.length);
  for (const response of await Promise.all(held)) assert.equal(response.status, 499);
});

test("a function without slots is stopped: calls are refused with the reason, and events wait", async () => {
  await using server = await startTestServer();
  const { client } = server;
  await client.deploy("off", quick);
  await client.setConcurrency("off", { reserved: 0 });
  const response = await call(server, "off");
  assert.match(response.headers.get("retry-after") ?? "", /^\d+$/);
  const problem = await problemIn(response);
  assert.deepEqual([problem.status, problem.code], [429, "resource_exhausted"]);
  assert.match(problem.detail, /function off: it is stopped, .*\/v1\/functions\/off\/concurrency$/);
  const { eventId } = await client.invokeAsync("off");
  const event = await poll(
    "see the event turned away",
    async () => {
      const seen = await client.event(eventId);
      return seen.state === "queued" && seen.error !== undefined ? seen : undefined;
    },
    { timeoutMs: 20_000 },
  );
  assert.equal(event.attempts, 0);
  assert.equal(event.error?.code, "resource_exhausted");
  assert.equal((await client.invocations({ function: "off" })).items.length, 0);
  await client.removeConcurrency("off");
  assert.equal((await call(server, "off")).status, 200);
  assert.equal((await eventIn(client, eventId, "succeeded")).attempts, 1);
});

test("events of a function with reserved slots run though a flood of events has all others", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 3 } });
  const { client } = server;
  await client.deploy("flood", endless);
  await client.deploy("vip", quick);
  await client.setConcurrency("vip", { reserved: 1 });
  for (let count = 0; count < 5; count++) await client.invokeAsync("flood");
  await running(server, "flood", 1);
  const { eventId } = await client.invokeAsync("vip");
  await eventIn(client, eventId, "succeeded");
  // Of the slots that are not reserved, one is left to those who wait for their answer.
  assert.equal((await client.events({ function: "flood", state: "running" })).items.length, 1);
});

test("no more is reserved than leaves a tenth of the slots to the others, and what a deletion frees can be had", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 20 } });
  const { client } = server;
  for (const name of ["a", "b", "c"]) await client.deploy(name, quick);
  await client.setConcurrency("a", { reserved: 10 });
  await client.setConcurrency("b", { reserved: 8 });
  await client.setConcurrency("b", { reserved: 8 });
  const problem = await problemOf(client.setConcurrency("c", { reserved: 1 }));
  assert.deepEqual([problem.status, problem.code], [409, "failed_precondition"]);
  assert.match(problem.detail, /of 20, 18 are reserved .* and 2 must be left .* Reserve 0 at most/);
  assert.deepEqual(await client.concurrency("c"), {});
  await client.removeFunction("a");
  assert.deepEqual(await client.setConcurrency("c", { reserved: 10 }), { reserved: 10 });
  await client.deploy("a", quick);
  assert.deepEqual(await client.concurrency("a"), {});
});

test("what is reserved is shown with the function, makes no version, and outlives a deployment and a restart", async () => {
  await using dir = await tempDir();
  const env = { RUNLET_MAX_CONCURRENCY: "2", RUNLET_QUEUE_LIMIT: "0" };
  {
    await using server = await startChildServer({ directory: dir.path, env });
    await server.client.deploy("f", quick);
    await server.client.setConcurrency("f", { reserved: 1 });
    await server.client.deploy("f", endless);
    const { version, functionConcurrency } = await server.client.getFunction("f");
    assert.deepEqual([version, functionConcurrency], [2, { reserved: 1 }]);
  }
  await using server = await startChildServer({ directory: dir.path, env });
  assert.deepEqual(await server.client.concurrency("f"), { reserved: 1 });
  const held = problemOf(server.client.invoke("f"));
  const { id } = await runningInvocation(server.client, "f");
  assert.equal((await problemOf(server.client.invoke("f"))).status, 429);
  await server.client.cancel(id);
  assert.equal((await held).status, 499);
});

test("a server that has no slot left beside the reserved ones says so as it starts", async () => {
  await using dir = await tempDir();
  const env = { RUNLET_MAX_CONCURRENCY: "2" };
  {
    await using server = await startChildServer({ directory: dir.path, env });
    await server.client.deploy("f", quick);
    await server.client.setConcurrency("f", { reserved: 1 });
    assert.doesNotMatch(server.log(), /without a reservation/);
  }
  const fewer = { RUNLET_MAX_CONCURRENCY: "1" };
  await using server = await startChildServer({ directory: dir.path, env: fewer });
  const told = server
    .log()
    .split("\n")
    .find((line) => line.includes("without a reservation"));
  const { reserved, slots, msg } = JSON.parse(told ?? "") as Record<string, unknown>;
  assert.deepEqual([reserved, slots], [{ f: 1 }, 1]);
  assert.match(String(msg), /larger RUNLET_MAX_CONCURRENCY/);
});

/** Waits until so many invocations of a function run. */
async function running({ client }: TestServer, name: string, count: number): Promise<void> {
  await poll(
    `see ${count} of ${name} run`,
    async () => {
      const { items } = await client.invocations({ function: name, status: "running" });
      return items.length >= count ? items : undefined;
    },
    { timeoutMs: 20_000 },
  );
}

/** Cancels invocations of a function as they begin, until there were so many. */
async function cancelAll(server: TestServer, name: string, count: number): Promise<void> {
  for (let cancelled = 0; cancelled < count; cancelled++) {
    const { id } = await runningInvocation(server.client, name);
    await server.client.cancel(id);
  }
}
