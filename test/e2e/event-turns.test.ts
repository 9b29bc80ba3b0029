import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { call } from "../support/call.ts";
import { eventIn } from "../support/events.ts";
import { runningInvocation } from "../support/running.ts";
import { startTestServer } from "../support/server.ts";

const nap: FunctionSpecInput = { runtime: "command", command: ["sleep", "0.3"] };

test("a flood of one function keeps another one's event waiting for its turn only", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 2 } });
  const { client } = server;
  await client.deploy("flood", nap);
  await client.deploy("other", nap);
  const flood = await Promise.all(
    Array.from({ length: 10 }, async () => await client.invokeAsync("flood")),
  );
  const { eventId } = await client.invokeAsync("other");
  await eventIn(client, eventId, "succeeded");
  const done = await client.events({ function: "flood", state: "succeeded" });
  assert.ok(done.items.length <= 4, `${done.items.length} of the flood came first`);
  for (const event of flood) await eventIn(client, event.eventId, "succeeded");
});

test("a caller that waits has a slot though the queue is full of events", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 3 } });
  const { client } = server;
  await client.deploy("endless", { runtime: "command", command: ["sleep", "600"] });
  await client.deploy("true", { runtime: "command", command: ["true"] });
  for (let count = 0; count < 5; count++) await client.invokeAsync("endless");
  await runningInvocation(client, "endless");
  assert.equal((await call(server, "true")).status, 200);
  assert.equal((await client.events({ state: "running" })).items.length, 2);
});

test("an event that finds its function at its bound waits without counting it as an attempt", async () => {
  await using server = await startTestServer();
  const { client } = server;
  await client.deploy("one", { runtime: "command", command: ["sleep", "600"], concurrency: 1 });
  const held = call(server, "one");
  const { id } = await runningInvocation(client, "one");
  await client.deploy("free", { runtime: "command", command: ["true"] });
  const { eventId } = await client.invokeAsync("one");
  const free = await client.invokeAsync("free");
  await eventIn(client, free.eventId, "succeeded");
  const waiting = await eventIn(client, eventId, "queued");
  assert.equal(waiting.attempts, 0);
  assert.equal(waiting.error?.code, "resource_exhausted");
  await client.cancel(id);
  await held;
  assert.equal((await eventIn(client, eventId, "running")).attempts, 1);
});

test("no more events of a function run at once than its bound allows", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 4 } });
  const { client } = server;
  await client.deploy("single", { ...nap, concurrency: 1 });
  const ids = await Promise.all(
    Array.from({ length: 4 }, async () => (await client.invokeAsync("single")).eventId),
  );
  for (const id of ids) await eventIn(client, id, "succeeded");
  const { items } = await client.invocations({ function: "single" });
  const spans = items.map(({ startedAtUs = 0, finishedAtUs = 0 }) => [startedAtUs, finishedAtUs]);
  spans.sort(([a = 0], [b = 0]) => a - b);
  for (const [index, [start = 0]] of spans.entries()) {
    assert.ok(index === 0 || start >= (spans[index - 1]?.[1] ?? 0), "two ran at once");
  }
  const events = await client.events({ function: "single" });
  assert.ok(
    events.items.every(({ error }) => error === undefined),
    "one was turned away",
  );
});
