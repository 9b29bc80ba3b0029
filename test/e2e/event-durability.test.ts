import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { eventIn } from "../support/events.ts";
import { runningInvocation } from "../support/running.ts";
import { tempDir } from "../support/temp-dir.ts";

const eventCount = 100;
const source = `export const handler = async ({ ms }) => {
  await new Promise((done) => setTimeout(done, ms));
  return ms;
};`;

test("100 accepted events all succeed though the server is killed three times in mid-work", async () => {
  await using dir = await tempDir();
  const env = { RUNLET_MAX_CONCURRENCY: "4", RUNLET_POOL_MAX: "4" };
  const options = { directory: dir.path, env };
  const ids: string[] = [];
  for (let life = 0; life < 3; life++) {
    await using server = await startChildServer(options);
    const { client } = server;
    if (life === 0) {
      const async = { maxAttempts: 10, backoffMs: 100 };
      const isolation = "reuse";
      await client.deploy("nap", { runtime: "node", code: { source }, isolation, async });
      ids.push(...(await queue(client)));
    }
    const doneBefore = await succeeded(client);
    await poll(
      "see some events succeed while others run",
      async () => {
        const { items } = await client.events({ state: "running", limit: 200 });
        const done = await succeeded(client);
        return items.length > 0 && done >= doneBefore + 5 ? true : undefined;
      },
      { timeoutMs: 30_000 },
    );
    await runningInvocation(client, "nap");
    server.kill("SIGKILL");
    assert.deepEqual(await server.ended(), { code: null, signal: "SIGKILL" });
  }
  await using server = await startChildServer(options);
  const { client } = server;
  assert.ok((await succeeded(client)) < eventCount, "all was done before the last start");
  let retried = 0;
  for (const id of ids) {
    const event = await eventIn(client, id, "succeeded");
    const attempts = event.invocations.map(({ attempt = 0 }) => attempt);
    assert.deepEqual(
      attempts,
      [...new Set(attempts)].sort((a, b) => a - b),
      "an attempt is on record twice",
    );
    const last = event.invocations.at(-1);
    assert.deepEqual([last?.attempt, last?.status], [event.attempts, "succeeded"]);
    for (const { status } of event.invocations) {
      assert.ok(status === "succeeded" || status === "lost", `an attempt is ${status}`);
    }
    if (event.attempts > 1) retried++;
  }
  assert.ok(retried >= 1, "no event was running at any of the kills");
  assert.equal(await succeeded(client), eventCount);
});

test("an event that runs when the server is told to end is tried again, and that does not count", async () => {
  await using dir = await tempDir();
  const options = { directory: dir.path, env: { RUNLET_SHUTDOWN_TIMEOUT_MS: "100" } };
  let eventId: string;
  {
    await using server = await startChildServer(options);
    await server.client.deploy("endless", { runtime: "command", command: ["sleep", "600"] });
    ({ eventId } = await server.client.invokeAsync("endless"));
    await runningInvocation(server.client, "endless");
    server.kill("SIGTERM");
    assert.deepEqual(await server.ended(), { code: 0, signal: null });
  }
  await using server = await startChildServer(options);
  await runningInvocation(server.client, "endless");
  const event = await server.client.event(eventId);
  assert.deepEqual([event.state, event.attempts], ["running", 1]);
  assert.deepEqual(
    event.invocations.map(({ status }) => status),
    ["cancelled", "running"],
  );
});

async function queue(client: Client): Promise<string[]> {
  const accepted = Array.from({ length: eventCount }, async (_, index) => {
    const event = JSON.stringify({ ms: 20 + ((index * 37) % 101) });
    return (await client.invokeAsync("nap", { event })).eventId;
  });
  return await Promise.all(accepted);
}

async function succeeded(client: Client): Promise<number> {
  return (await client.events({ state: "succeeded", limit: 200 })).items.length;
}
