import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import { poll } from "../../runtime/deadline.ts";
import { type ChildServer, startChildServer } from "../support/child-server.ts";
import { eventIn } from "../support/events.ts";
import { problemOf } from "../support/problem.ts";
import { frailDisk, smallDisk } from "../support/small-disk.ts";
import { tempDir } from "../support/temp-dir.ts";

const mebibyte = 1024 * 1024;
const timeoutMs = 20_000;
const source = `export const handler = async ({ ms }) => {
  console.log("slept for " + ms);
  await new Promise((done) => setTimeout(done, ms));
  return ms;
};`;
const nap = (ms: number): { event: string } => ({ event: JSON.stringify({ ms }) });

/** What changes something, each in its own way to the disk. */
const changes: Readonly<Record<string, (client: Client) => Promise<unknown>>> = {
  "a call": async (client) => await client.invoke("nap", nap(0)),
  "a longer call": async (client) => await client.invoke("nap", nap(50)),
  "an event": async (client) => await client.invokeAsync("nap", nap(0)),
  "a deployment": async (client) =>
    await client.deploy("other", { runtime: "node", code: { source: `${source}\n// other` } }),
  "a secret": async (client) => await client.setSecret("word", "x".repeat(9_000)),
  "a sandbox": async (client) => await client.createSandbox({ memoryBytes: 128 * mebibyte }),
};

async function refuseAll(client: Client, detail: RegExp): Promise<void> {
  for (const [what, change] of Object.entries(changes)) {
    const problem = await problemOf(change(client));
    assert.deepEqual([what, problem.status, problem.code], [what, 503, "unavailable"]);
    assert.match(problem.detail, detail, what);
  }
}

async function readiness({ url }: ChildServer): Promise<{ ready: boolean; reason?: string }> {
  return (await (await fetch(`${url}/readyz`)).json()) as { ready: boolean; reason?: string };
}

test("with a full disk nothing is answered as done, and once there is room all goes on as before", async () => {
  await using dir = await tempDir();
  await using disk = await smallDisk(dir.path, 24 * mebibyte);
  await using server = await startChildServer({ directory: dir.path });
  const { client, url } = server;
  await client.deploy("nap", { runtime: "node", isolation: "reuse", code: { source } });
  await client.invoke("nap", nap(0));
  const { eventId } = await client.invokeAsync("nap", nap(700));
  const called = problemOf(client.invoke("nap", nap(700)));
  const running = async (): Promise<string[] | undefined> => {
    const { items } = await client.invocations({ function: "nap", status: "running" });
    return items.length === 2 ? items.map(({ id }) => id) : undefined;
  };
  const ids = await poll("see both on record as running", running, { timeoutMs });
  disk.fill();

  const problem = await called;
  assert.deepEqual([problem.status, problem.code], [503, "unavailable"]);
  assert.match(problem.detail, /disk: it is full\. Make room/);
  await refuseAll(client, /disk: it is full\. Make room/);
  assert.deepEqual(await readiness(server).then(({ ready }) => ready), false);
  assert.match((await readiness(server)).reason ?? "", /full/);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  assert.equal((await client.event(eventId)).state, "running");
  assert.deepEqual(
    (await client.functions()).items.map(({ name }) => name),
    ["nap"],
  );
  assert.deepEqual((await client.listSandboxes()).items, []);

  disk.free();
  const isReady = async (): Promise<true | undefined> =>
    (await readiness(server)).ready ? true : undefined;
  await poll("see it ready again", isReady, { timeoutMs });
  const event = await eventIn(client, eventId, "succeeded");
  assert.equal(event.attempts, 1);
  const isEnded = async (): Promise<true | undefined> =>
    (await client.invocations({ status: "running" })).items.length === 0 ? true : undefined;
  await poll("see no invocation left as running", isEnded, { timeoutMs });
  for (const id of ids) {
    const { status, error, stdout } = await client.invocation(id);
    if (status === "succeeded") continue;
    assert.deepEqual([status, error?.code], ["failed", "unavailable"]);
    assert.match(stdout, /output cut/);
  }
  for (const change of Object.values(changes)) await change(client);
});

const hasLoopDevices = existsSync("/dev/loop-control");
test(
  "where the disk turns read-only in mid-work, what changes something is refused, and the rest is answered",
  { skip: hasLoopDevices ? false : "this host has no loop devices" },
  async () => {
    await using dir = await tempDir();
    await using disk = await frailDisk(dir.path);
    await using server = await startChildServer({ directory: dir.path });
    const { client, url } = server;
    await client.deploy("nap", { runtime: "node", isolation: "reuse", code: { source } });
    await client.invoke("nap", nap(0));
    await disk.break();
    await refuseAll(client, /read-only|the disk failed\. Read/);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    assert.equal((await readiness(server)).ready, false);
    assert.deepEqual(
      (await client.functions()).items.map(({ name }) => name),
      ["nap"],
    );
    server.kill("SIGTERM");
    assert.deepEqual(await server.ended(), { code: 0, signal: null });
  },
);
