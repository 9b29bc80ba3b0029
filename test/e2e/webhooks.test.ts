import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import type { Sandbox } from "../../api/client/sandbox.ts";
import { poll } from "../../runtime/deadline.ts";
import { runlet } from "../api/cli/runlet.ts";
import { startChildServer } from "../support/child-server.ts";
import { failingWrites } from "../support/failing-writes.ts";
import { problemOf } from "../support/problem.ts";
import { isSigned, type Received, startReceiver } from "../support/receiver.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { tempDir } from "../support/temp-dir.ts";

const key = "the secret of a webhook";
const small = { memoryBytes: 128 * 1024 * 1024, timeoutMs: 60_000 };

let server: TestServer;
let client: Client;
before(async () => {
  server = await startTestServer({ overrides: { allowPrivateCallbacks: true } });
  ({ client } = server);
  await client.setSecret("hook-key", key);
});
after(async () => await server[Symbol.asyncDispose]());

interface Told {
  readonly type: string;
  readonly timestamp: string;
  readonly data: { readonly sandboxId: string; readonly detail?: string };
}

function toldIn({ body }: Received): Told {
  return JSON.parse(body) as Told;
}

test("a webhook is told, signed, of what happens from then on, as far as it asked to be", async () => {
  await using receiver = await startReceiver();
  await using there = await client.sandboxes.open(small);
  const spec = { url: `${receiver.url}/all`, secret: "hook-key" };
  await client.putWebhook("all", spec);
  await client.putWebhook("ends", { ...spec, url: `${receiver.url}/ends`, events: ["ended"] });
  await there.pause();
  await there.delete();
  const requests = await receiver.until(3);
  assert.ok(requests.every((request) => isSigned(request, key)));
  const told = requests.map((request) => `${request.path} ${toldIn(request).type}`);
  assert.deepEqual(told.toSorted(), [
    "/all sandbox.ended",
    "/all sandbox.paused",
    "/ends sandbox.ended",
  ]);
  const { timestamp, data } = toldIn(requests[0] as Received);
  assert.equal(data.sandboxId, there.id);
  assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  const { items } = await client.webhookDeliveries("all");
  assert.deepEqual(
    items.map(({ kind, source }) => [kind, source]),
    [
      ["deliver", "sandbox-events"],
      ["deliver", "sandbox-events"],
    ],
  );
  await client.removeWebhook("all");
  await client.removeWebhook("ends");
});

test("what cannot be queued for a webhook is queued later, though nothing more happens", async () => {
  await using receiver = await startReceiver();
  await client.putWebhook("late", { url: receiver.url, secret: "hook-key", events: ["created"] });
  let box: Sandbox;
  {
    using _failing = failingWrites(server.config.dataDir, "INSERT ON events");
    box = await client.sandboxes.open(small);
    const unqueued = await client.webhookDeliveries("late");
    assert.deepEqual(unqueued.items, []);
  }
  const [told] = await receiver.until(1);
  assert.equal(toldIn(told as Received).data.sandboxId, box.id);
  await client.removeWebhook("late");
  await box.delete();
});

test("a delivery that fails is tried again under the same id; one that waits goes with its webhook", async () => {
  await using receiver = await startReceiver((_, count) => ({ status: count === 1 ? 204 : 503 }));
  await client.putWebhook("slow", { url: receiver.url, secret: "hook-key", events: ["created"] });
  await using first = await client.sandboxes.open(small);
  const [failed, again] = await receiver.until(2);
  assert.equal(again?.headers["webhook-id"], failed?.headers["webhook-id"]);
  assert.equal(toldIn(again as Received).data.sandboxId, first.id);
  await using _second = await client.sandboxes.open(small);
  await receiver.until(3);
  const waits = async (): Promise<true | undefined> =>
    (await client.webhookDeliveries("slow")).items[0]?.state === "queued" ? true : undefined;
  await poll("see the delivery wait", waits, { timeoutMs: 10_000 });
  await client.removeWebhook("slow");
  assert.equal((await problemOf(client.webhookDeliveries("slow"))).code, "not_found");
  const { items } = await client.events({ state: "queued" });
  assert.deepEqual(items, []);
});

test("a secret that a webhook names stays, and a URL that may not be told is refused", async () => {
  const spec = { url: "http://127.0.0.1:9/", secret: "hook-key" };
  await client.putWebhook("keeps", spec);
  const kept = await problemOf(client.removeSecret("hook-key"));
  assert.match(kept.detail, /webhook keeps needs it/);
  await client.removeWebhook("keeps");
  await using strict = await startTestServer();
  await strict.client.setSecret("hook-key", key);
  const refused = await problemOf(strict.client.putWebhook("plain", spec));
  assert.equal(refused.code, "failed_precondition");
  assert.match(refused.detail, /https:/);
});

test("what happened while nobody could be told is told after a crash, the end of the sandboxes with it", async () => {
  await using dir = await tempDir();
  const env = { RUNLET_ALLOW_PRIVATE_CALLBACKS: "true" };
  await using receiver = await startReceiver();
  let id: string;
  {
    await using killed = await startChildServer({ directory: dir.path, env });
    await killed.client.setSecret("hook-key", key);
    const spec = { url: receiver.url, secret: "hook-key", events: ["ended" as const] };
    await killed.client.putWebhook("ends", spec);
    ({ id } = await killed.client.createSandbox(small));
    killed.kill("SIGKILL");
    await killed.ended();
  }
  await using _started = await startChildServer({ directory: dir.path, env });
  const [request] = await receiver.until(1);
  const { type, data } = toldIn(request as Received);
  assert.deepEqual([type, data.sandboxId, data.detail], ["sandbox.ended", id, "lost"]);
});

test("webhooks are set, listed, shown and deleted on the command line", async () => {
  const { url } = server;
  const to = ["--to", "http://127.0.0.1:9/hook", "--secret", "hook-key"];
  const made = await runlet(["webhook", "set", "line", ...to, "--event", "created", "ended"], {
    url,
  });
  assert.equal(made.stdout || made.stderr, "line is told of: created, ended\n");
  const listed = await runlet(["webhook"], { url });
  assert.match(
    listed.stdout,
    /^NAME .*\nline +http:\/\/127.0.0.1:9\/hook +hook-key +created ended\n$/,
  );
  const shown = await runlet(["webhook", "show", "line"], { url });
  assert.equal((JSON.parse(shown.stdout) as { name: string }).name, "line");
  assert.match((await runlet(["webhook", "deliveries", "line"], { url })).stderr, /Nothing/);
  assert.equal((await runlet(["webhook", "rm", "line"], { url })).exitCode, 0);
  assert.match((await runlet(["webhook"], { url })).stderr, /^No webhooks yet/);
});
