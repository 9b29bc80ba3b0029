import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { poll } from "../../runtime/deadline.ts";
import { call } from "../support/call.ts";
import { eventIn } from "../support/events.ts";
import { runningInvocation } from "../support/running.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const endless: FunctionSpecInput = { runtime: "command", command: ["sleep", "600"] };
const quick: FunctionSpecInput = { runtime: "command", command: ["true"] };

test("a caller who waits has the next slot, before events that waited for it longer", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 1 } });
  const { client } = server;
  await client.deploy("busy", endless);
  await client.deploy("quick", quick);
  const busy = call(server, "busy");
  const { id } = await runningInvocation(client, "busy");
  const { eventId } = await client.invokeAsync("quick");
  await eventIn(client, eventId, "running");
  await waiting(server, 1);
  const called = client.invoke("quick");
  await waiting(server, 2);
  await client.cancel(id);
  await busy;
  const { invocationId } = await called;
  const { invocations } = await eventIn(client, eventId, "succeeded");
  const [first, second] = await Promise.all(
    [invocationId, invocations[0]?.invocationId ?? ""].map(
      async (each) => (await client.invocation(each)).startedAtUs ?? 0,
    ),
  );
  assert.ok((first ?? 0) < (second ?? 0), "the event went first");
});

test("events run though callers never cease to wait, for slots and at a function's own bound", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 2 } });
  const { client } = server;
  await client.deploy("free", { runtime: "command", command: ["sleep", "0.05"] });
  await client.deploy("bound", { runtime: "command", command: ["sleep", "0.05"], concurrency: 1 });
  const stop = new AbortController();
  const crowd = ["free", "bound"].flatMap((name) =>
    Array.from({ length: 4 }, async () => {
      while (!stop.signal.aborted) assert.equal((await call(server, name)).status, 200);
    }),
  );
  await waiting(server, 2);
  const events = await Promise.all(
    ["free", "bound"].map(async (name) => await client.invokeAsync(name)),
  );
  for (const { eventId } of events) {
    assert.equal((await eventIn(client, eventId, "succeeded")).attempts, 1);
  }
  stop.abort();
  await Promise.all(crowd);
});

/** Waits until so many wait for a slot. */
async function waiting(server: TestServer, count: number): Promise<void> {
  await poll(
    `see ${count} wait`,
    async () => {
      const metrics = await (await server.fetch("/metrics")).text();
      const found = Number(/^runlet_invocations_waiting (\d+)$/m.exec(metrics)?.[1]);
      return found >= count || undefined;
    },
    { timeoutMs: 20_000 },
  );
}
