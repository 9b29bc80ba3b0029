import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { eventIn } from "../support/events.ts";
import { problemOf } from "../support/problem.ts";
import { tempDir } from "../support/temp-dir.ts";

const timeoutMs = 20_000;
const code = { source: "head -c 262144 /dev/zero | tr '\\0' x" };

/** Fails each event that it is given. */
async function deployBroken(client: Client): Promise<void> {
  const async = { maxAttempts: 1 };
  await client.deploy("broken", { runtime: "command", command: ["false"], async });
}

test("what has ended goes once it is old, sandboxes with what happened to them, and what runs stays", async () => {
  await using dir = await tempDir();
  let box: string;
  {
    await using server = await startChildServer({ directory: dir.path });
    const { client } = server;
    await client.execute({ runtime: "bash", code });
    ({ id: box } = await client.createSandbox({ memoryBytes: 128 * 1024 * 1024 }));
    await client.removeSandbox(box);
    await deployBroken(client);
    const { eventId } = await client.invokeAsync("broken");
    await eventIn(client, eventId, "dead");
    await client.revokeKey((await client.createKey({ name: "old", scopes: ["invoke"] })).id);
    await client.createKey({ name: "kept", scopes: ["invoke"] });
  }
  const env = { RUNLET_MAX_RECORD_AGE_MS: "1" };
  await using server = await startChildServer({ directory: dir.path, env });
  const { client } = server;
  const isGone = async (): Promise<true | undefined> =>
    (await client.invocations()).items.length === 0 &&
    (await client.deadLetters()).items.length === 0 &&
    (await client.listSandboxes()).items.length === 0
      ? true
      : undefined;
  await poll("see the record emptied", isGone, { timeoutMs });
  assert.equal((await problemOf(client.sandboxEvents(box))).code, "not_found");
  assert.deepEqual((await client.allSandboxEvents()).items, []);
  assert.deepEqual(
    (await client.keys()).items.map(({ name }) => name),
    ["kept"],
  );
  const open = await client.createSandbox({ memoryBytes: 128 * 1024 * 1024 });
  assert.ok((await client.allSandboxEvents()).items.every(({ seq }) => seq > 2));
  await client.removeSandbox(open.id);
});

test("past its size the oldest invocations go, and the newest stay", async () => {
  await using dir = await tempDir();
  let ids: string[];
  {
    await using server = await startChildServer({ directory: dir.path });
    const run = async (): Promise<unknown> =>
      await server.client.execute({ runtime: "bash", code });
    await Promise.all(Array.from({ length: 24 }, run));
    ids = (await server.client.invocations({ limit: 50 })).items.map(({ id }) => id);
  }
  assert.equal(ids.length, 24);
  const env = { RUNLET_MAX_RECORD_BYTES: String(3 * 1024 * 1024) };
  await using server = await startChildServer({ directory: dir.path, env });
  const left = async (): Promise<string[]> =>
    (await server.client.invocations({ limit: 50 })).items.map(({ id }) => id);
  const isLess = async (): Promise<string[] | undefined> => {
    const found = await left();
    return found.length < ids.length ? found : undefined;
  };
  const found = await poll("see the oldest gone", isLess, { timeoutMs });
  assert.ok(found.length > 0);
  assert.deepEqual(found, ids.slice(0, found.length));
});

async function executed(client: Client): Promise<number> {
  return (await client.invocations({ kind: "execute" })).items.length;
}

test("past its size the oldest goes of all that has ended, and nothing for the sake of what waits", async () => {
  await using dir = await tempDir();
  const limit = { RUNLET_MAX_RECORD_BYTES: String(3 * 1024 * 1024) };
  const event = "x".repeat(256 * 1024);
  {
    await using server = await startChildServer({ directory: dir.path });
    const { client } = server;
    await deployBroken(client);
    const accept = async (): Promise<unknown> => await client.invokeAsync("broken", { event });
    await Promise.all(Array.from({ length: 14 }, accept));
    const areDead = async (): Promise<true | undefined> =>
      (await client.deadLetters()).items.length === 14 ? true : undefined;
    await poll("see all dead", areDead, { timeoutMs });
    for (let runs = 0; runs < 4; runs++) await client.execute({ runtime: "bash", code });
  }
  {
    await using server = await startChildServer({ directory: dir.path, env: limit });
    const { client } = server;
    const isLess = async (): Promise<true | undefined> =>
      (await client.deadLetters()).items.length < 14 ? true : undefined;
    await poll("see dead letters gone", isLess, { timeoutMs });
    assert.equal(await executed(client), 4);
    await client.setConcurrency("broken", { reserved: 0 });
    const large = "x".repeat(1024 * 1024);
    for (let events = 0; events < 4; events++) await client.invokeAsync("broken", { event: large });
  }
  await using server = await startChildServer({ directory: dir.path, env: limit });
  const isTold = (): true | undefined =>
    server.log().includes("the events that wait take more") ? true : undefined;
  await poll("see why it stays as large", isTold, { timeoutMs });
  assert.equal(await executed(server.client), 4);
});
