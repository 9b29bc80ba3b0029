import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import type { SandboxEvent } from "../../api/schema/sandbox.ts";
import { problemIn } from "../support/problem.ts";
import { startTestServer } from "../support/server.ts";
import { runlet } from "../api/cli/runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const small = { memoryBytes: 128 * 1024 * 1024, timeoutMs: 60_000 };

/** The types of what is followed, to its end. */
async function typesOf(events: AsyncIterable<SandboxEvent>): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of events) types.push(type);
  return types;
}

/** The first that is told; then nobody follows any more. */
async function firstOf(events: AsyncIterable<SandboxEvent>): Promise<SandboxEvent | undefined> {
  for await (const event of events) return event;
  return undefined;
}

suite("what happens to sandboxes", () => {
  test("is told from its beginning to its end, to who was there and to who comes later", async () => {
    await using box = await client.sandboxes.open(small);
    const opened = Promise.withResolvers<void>();
    const onOpen = (): void => opened.resolve();
    const followed = typesOf(box.events({ onOpen }));
    await opened.promise;
    await box.pause();
    await box.resume();
    await box.update({ metadata: { of: "a" } });
    await box.delete();
    const all = ["created", "paused", "resumed", "changed", "ended"];
    assert.deepEqual(await followed, all);
    assert.deepEqual(await typesOf(box.events()), all);
    const { items } = await client.sandboxEvents(box.id);
    assert.equal(items.at(-1)?.detail, "deleted");
    assert.ok(items.every(({ sandboxId }) => sandboxId === box.id));
  });

  test("is told of all of them in one order, behind what was seen already", async () => {
    const a = await client.sandboxes.open(small);
    const { items } = await client.sandboxEvents(a.id);
    const begun = items[0]?.seq ?? 0;
    const b = await client.sandboxes.open(small);
    await a.delete();
    const followed = client.followSandboxEvents(undefined, { after: begun });
    const seen: [string, string][] = [];
    for await (const { sandboxId, type } of followed) {
      seen.push([sandboxId, type]);
      if (seen.length === 2) await b.delete();
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen, [
      [b.id, "created"],
      [a.id, "ended"],
      [b.id, "ended"],
    ]);
    const page = await client.allSandboxEvents({ after: begun, limit: 2 });
    assert.deepEqual([page.items.length, Number(page.next)], [2, page.items[1]?.seq]);
  });

  test("is told of all from now on to who does not say since when", async () => {
    await using before = await client.sandboxes.open(small);
    const opened = Promise.withResolvers<void>();
    const onOpen = (): void => opened.resolve();
    const first = firstOf(client.followSandboxEvents(undefined, { onOpen }));
    await opened.promise;
    await before.pause();
    const { sandboxId, type } = (await first) ?? {};
    assert.deepEqual([sandboxId, type], [before.id, "paused"]);
  });

  test("goes on behind the Last-Event-ID of who has reconnected", async () => {
    await using box = await client.sandboxes.open(small);
    await box.pause();
    const [created] = (await client.sandboxEvents(box.id)).items;
    const headers = { accept: "text/event-stream", "last-event-id": String(created?.seq) };
    const response = await server.fetch(`/v1/sandboxes/${box.id}/events?after=0`, { headers });
    await box.delete();
    const told = await response.text();
    const names = [...told.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);
    assert.deepEqual(names, ["paused", "ended"]);
    assert.match(told, /^id: \d+$/m);
  });

  test("is shown and followed on the command line", async () => {
    const box = await client.sandboxes.open(small);
    await box.delete();
    const shown = await runlet(["sandbox", "events", box.id], { url: server.url });
    assert.match(shown.stdout, /^NUMBER .*created.*ended \(deleted\)\n$/s);
    const followed = await runlet(["sandbox", "events", box.id, "-f", "--json"], {
      url: server.url,
    });
    const events = followed.stdout.trim().split("\n");
    assert.deepEqual(
      events.map((line) => (JSON.parse(line) as SandboxEvent).type),
      ["created", "ended"],
    );
  });

  test("of a sandbox that is not there is refused, and so is a follower too many", async () => {
    const nobody = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";
    const headers = { accept: "text/event-stream" };
    const missing = await server.fetch(`/v1/sandboxes/${nobody}/events`, { headers });
    assert.equal((await problemIn(missing)).code, "not_found");
    const leave = new AbortController();
    const { signal } = leave;
    const follow = async (): Promise<Response> =>
      await server.fetch("/v1/sandbox-events", { headers, signal });
    for (let left = 101; left > 0; left--) {
      const head = await server.fetch("/v1/sandbox-events", { method: "HEAD", headers });
      assert.equal(head.status, 200, "HEAD follows nothing");
    }
    const answers = await Promise.all(Array.from({ length: 101 }, follow));
    const [refused] = answers.filter(({ status }) => status !== 200);
    assert.ok(refused !== undefined);
    assert.equal((await problemIn(refused)).code, "resource_exhausted");
    leave.abort();
    await Promise.allSettled(answers.map(async (each) => await each.text()));
  });
});
