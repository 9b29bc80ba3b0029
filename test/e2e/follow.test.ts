import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FollowEvent } from "../../api/schema/follow.ts";
import { poll, within } from "../../runtime/deadline.ts";
import { followedText, followedTo, following } from "../support/following.ts";
import { problemOf } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

const timeoutMs = 30_000;
const nobody = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
  const { client } = server;
  const stays = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done";
  await client.deploy("stays", { runtime: "command", command: shell(stays) });
  await client.deploy("says", { runtime: "command", command: shell("cat; echo oops >&2; exit 3") });
  await client.deploy("other", { runtime: "command", command: shell("echo other") });
  await client.deploy("floods", { runtime: "command", command: shell("yes | head -c 50000000") });
  const source = "export const handler = (event) => { console.log('ä', event); };";
  await client.deploy("warm", { runtime: "node", isolation: "reuse", code: { source } });
});
after(async () => await server[Symbol.asyncDispose]());

function shell(script: string): string[] {
  return ["sh", "-c", script];
}

async function allOf(events: AsyncIterable<FollowEvent>): Promise<FollowEvent[]> {
  const all: FollowEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

test("an invocation is followed while it runs, to its end", async () => {
  const { client } = server;
  const invoked = problemOf(client.invoke("stays"));
  const { id } = await runningInvocation(client, "stays");
  const events: FollowEvent[] = [];
  for await (const event of client.followInvocation(id)) {
    events.push(event);
    // It would write for ever: what came so far came while it ran.
    if (events.length === 3) await client.cancel(id);
  }
  await invoked;
  assert.match(followedText(events, "stdout"), /^\d+\n\d+\n/);
  assert.ok(events.every((event) => event.type !== "cut" && event.invocationId === id));
  assert.deepEqual(events.at(-1), { type: "end", invocationId: id, status: "cancelled" });
});

test("a function is followed through its invocations, and no other function's", async () => {
  const { client } = server;
  await using followed = await following(server.client, "says");
  await client.invoke("other");
  const first = await problemOf(client.invoke("says", { event: "one\n" }));
  await problemOf(client.invoke("says", { event: "two\n" }));
  const events = await followedTo(followed.events, 2);
  assert.equal(followedText(events, "stdout"), "one\ntwo\n");
  assert.equal(followedText(events, "stderr"), "oops\noops\n");
  const end = events.find(({ type }) => type === "end");
  assert.deepEqual(end, { type: "end", invocationId: first.invocationId, status: "failed" });
});

test("warm containers are followed like any other, each event under its invocation", async () => {
  const { client } = server;
  await using followed = await following(server.client, "warm");
  const answers = [];
  for (const event of ["1", "2", "3"]) answers.push(await client.invoke("warm", { event }));
  const events = await followedTo(followed.events, 3);
  for (const [index, { invocationId }] of answers.entries()) {
    const own = events.filter(
      (event) => event.type !== "cut" && event.invocationId === invocationId,
    );
    assert.equal(followedText(own, "stdout"), `ä ${index + 1}\n`);
    assert.deepEqual(own.at(-1), { type: "end", invocationId, status: "succeeded" });
  }
});

test("of an invocation that has ended only the end is told", async () => {
  const { invocationId } = await server.client.invoke("other");
  const events = await allOf(server.client.followInvocation(invocationId));
  assert.deepEqual(events, [{ type: "end", invocationId, status: "succeeded" }]);
});

test("nobody follows what does not exist", async () => {
  const { client } = server;
  for (const events of [client.followFunction("nobody"), client.followInvocation(nobody)]) {
    assert.equal((await problemOf(events.next())).code, "not_found");
  }
});

test("a follower that does not read is cut off with a mark", async () => {
  const response = await server.fetch("/v1/functions/floods/logs/follow");
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  await server.client.invoke("floods");
  const text = await response.text();
  assert.ok(text.length < 40_000_000, `${text.length} characters came`);
  assert.match(
    text.slice(-300),
    /event: cut\ndata: \{"type":"cut","message":"Cut off: [^\n]+\n\n$/,
  );
});

async function canFollow(): Promise<true | undefined> {
  await using followed = await following(server.client, "other").catch(() => undefined);
  return followed && true;
}

test("so many may follow, and who goes away makes room", async () => {
  const stop = new AbortController();
  const { signal } = stop;
  const path = "/v1/functions/other/logs/follow";
  const responses = [];
  for (let left = 100; left > 0; left--) responses.push(await server.fetch(path, { signal }));
  assert.ok(responses.every(({ status }) => status === 200));
  assert.equal((await server.fetch(path)).status, 429);
  stop.abort();
  await poll("see room", canFollow, { timeoutMs });
});

test("a server that shuts down ends those who follow", async () => {
  await using stack = new AsyncDisposableStack();
  const ending = stack.use(await startTestServer());
  await ending.client.deploy("f", { runtime: "command", command: ["true"] });
  const opened = Promise.withResolvers<void>();
  const events = allOf(ending.client.followFunction("f", { onOpen: opened.resolve }));
  await within(opened.promise, "follow", timeoutMs);
  await stack.disposeAsync();
  assert.deepEqual(await within(events, "see the following end", timeoutMs), []);
});
