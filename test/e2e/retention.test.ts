import assert from "node:assert/strict";
import { test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { problemOf } from "../support/problem.ts";
import { tempDir } from "../support/temp-dir.ts";

const timeoutMs = 20_000;
const code = { source: "head -c 262144 /dev/zero | tr '\\0' x" };

test("what has ended goes once it is old, sandboxes with what happened to them, and what runs stays", async () => {
  await using dir = await tempDir();
  let box: string;
  {
    await using server = await startChildServer({ directory: dir.path });
    const { client } = server;
    await client.execute({ runtime: "bash", code });
    ({ id: box } = await client.createSandbox({ memoryBytes: 128 * 1024 * 1024 }));
    await client.removeSandbox(box);
  }
  const env = { RUNLET_MAX_RECORD_AGE_MS: "1" };
  await using server = await startChildServer({ directory: dir.path, env });
  const { client } = server;
  const isGone = async (): Promise<true | undefined> =>
    (await client.invocations()).items.length === 0 &&
    (await client.listSandboxes()).items.length === 0
      ? true
      : undefined;
  await poll("see the record emptied", isGone, { timeoutMs });
  assert.equal((await problemOf(client.sandboxEvents(box))).code, "not_found");
  assert.deepEqual((await client.allSandboxEvents()).items, []);
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
