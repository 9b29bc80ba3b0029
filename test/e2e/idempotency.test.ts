import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { problemIn } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";
import { tempDir } from "../support/temp-dir.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { ...smallPool, maxConcurrency: 2, queueLimit: 0 } });
  await deploy(
    "once",
    `export default { async fetch(request) {
  const { waitMs = 0 } = await request.json();
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  return new Response(crypto.randomUUID(), { status: 202, headers: { "x-own": "1", "content-type": "text/x" } });
} };`,
  );
});
after(async () => await server[Symbol.asyncDispose]());

async function deploy(name: string, source: string): Promise<void> {
  await server.client.deploy(name, { runtime: "node", code: { source } });
}

interface Keyed {
  key: string;
  event?: string;
  query?: string;
  signal?: AbortSignal;
}

async function invoke(name: string, { key, event, query, signal }: Keyed): Promise<Response> {
  return await server.fetch(`/v1/functions/${name}/invocations${query ?? ""}`, {
    method: "POST",
    body: event ?? "{}",
    headers: { "content-type": "application/json", "idempotency-key": key },
    ...(signal && { signal }),
  });
}

async function runs(name: string): Promise<number> {
  return (await server.client.invocations({ function: name, limit: 200 })).items.length;
}

async function whole(response: Response): Promise<unknown> {
  const { status, headers } = response;
  const kept = ["content-type", "x-own", "runlet-invocation-id", "runlet-function-version"];
  return { status, body: await response.text(), headers: kept.map((name) => headers.get(name)) };
}

test("the same key and event get the same answer of one run", async () => {
  const key = randomUUID();
  const count = await runs("once");
  const first = await invoke("once", { key });
  assert.equal(first.headers.get("runlet-idempotent-replay"), null);
  const again = await invoke("once", { key: `"${key}"` });
  assert.equal(again.headers.get("runlet-idempotent-replay"), "true");
  assert.equal(again.status, 202);
  assert.deepEqual(await whole(again), await whole(first));
  assert.equal(await runs("once"), count + 1);
});

test("another key, another function and no key are other calls", async () => {
  const key = randomUUID();
  await deploy("other", "export const handler = () => crypto.randomUUID();");
  const answers = [
    await invoke("once", { key }),
    await invoke("once", { key: randomUUID() }),
    await invoke("other", { key }),
  ];
  const bodies = await Promise.all(answers.map(async (answer) => await answer.text()));
  const { body } = await server.client.invoke("once");
  assert.equal(new Set([...bodies, Buffer.from(body).toString()]).size, 4);
});

test("calls that come while the first one runs wait for its answer", async () => {
  const key = randomUUID();
  const count = await runs("once");
  const calls = Array.from(
    { length: 8 },
    async () => await invoke("once", { key, event: '{"waitMs":300}' }),
  );
  const answers = await Promise.all(calls);
  const bodies = await Promise.all(answers.map(async (answer) => await answer.text()));
  assert.equal(new Set(bodies).size, 1);
  assert.equal(await runs("once"), count + 1);
});

test("the same key with another event is refused, running or answered", async () => {
  const key = randomUUID();
  const count = await runs("once");
  const first = invoke("once", { key, event: '{"waitMs":300}' });
  await runningInvocation(server.client, "once");
  const meanwhile = await problemIn(await invoke("once", { key, event: "{}" }));
  assert.deepEqual([meanwhile.status, meanwhile.code], [422, "idempotency_key_reused"]);
  await (await first).text();
  for (const other of [{ event: '{ "waitMs":300}' }, { query: "?qualifier=1" }]) {
    const problem = await problemIn(await invoke("once", { key, ...other }));
    assert.equal(problem.code, "idempotency_key_reused");
  }
  assert.equal(await runs("once"), count + 1);
});

test("a caller that goes away finds the answer when it asks again", async () => {
  const key = randomUUID();
  const count = await runs("once");
  const event = '{"waitMs":500}';
  const caller = new AbortController();
  const gone = invoke("once", { key, event, signal: caller.signal });
  const { id } = await runningInvocation(server.client, "once");
  caller.abort();
  await assert.rejects(gone);
  const answer = await invoke("once", { key, event });
  assert.deepEqual([answer.status, answer.headers.get("runlet-invocation-id")], [202, id]);
  assert.equal(await runs("once"), count + 1);
});

test("a failure of the function is an answer that is kept", async () => {
  await deploy(
    "failing",
    "export const handler = () => { throw new RangeError(crypto.randomUUID()); };",
  );
  const key = randomUUID();
  const first = await problemIn(await invoke("failing", { key }));
  assert.equal(first.functionError?.name, "RangeError");
  assert.deepEqual(await problemIn(await invoke("failing", { key })), first);
  assert.equal(await runs("failing"), 1);
});

test("want of room is no answer: the next try with the key runs", async () => {
  const key = randomUUID();
  const event = '{"waitMs":3000}';
  const busy = [server.client.invoke("once", { event }), server.client.invoke("once", { event })];
  await poll(
    "see both run",
    async () => {
      const { items } = await server.client.invocations({ function: "once", status: "running" });
      return items.length === 2 ? true : undefined;
    },
    { timeoutMs: 10_000 },
  );
  const problem = await problemIn(await invoke("once", { key }));
  assert.equal(problem.code, "resource_exhausted");
  await Promise.all(busy);
  const answer = await invoke("once", { key });
  assert.deepEqual([answer.status, answer.headers.get("runlet-idempotent-replay")], [202, null]);
});

test("an answer that is too large to keep is not given again, and the function does not run again", async () => {
  await deploy("large", "export const handler = () => new Uint8Array(1024 * 1024 + 1);");
  const key = randomUUID();
  assert.equal((await (await invoke("large", { key })).arrayBuffer()).byteLength, 1024 * 1024 + 1);
  const problem = await problemIn(await invoke("large", { key }));
  assert.equal(problem.code, "failed_precondition");
  assert.match(problem.detail, /over 1048576 bytes/);
  assert.equal(await runs("large"), 1);
});

test("an event that is refused leaves its key free", async () => {
  const key = randomUUID();
  assert.equal((await invoke("once", { key, event: "{not" })).status, 400);
  assert.equal((await invoke("once", { key })).status, 202);
});

test("a server that was killed after its answer answers the same when it is there again", async () => {
  await using directory = await tempDir();
  const call = { event: "{}", idempotencyKey: randomUUID() };
  let first: string;
  {
    await using killed = await startChildServer({ directory: directory.path });
    const source = "export const handler = () => crypto.randomUUID();";
    await killed.client.deploy("once", { runtime: "node", code: { source } });
    first = Buffer.from((await killed.client.invoke("once", call)).body).toString();
    killed.kill("SIGKILL");
    await killed.ended();
  }
  await using restarted = await startChildServer({ directory: directory.path });
  const second = await restarted.client.invoke("once", call);
  assert.equal(Buffer.from(second.body).toString(), first);
});

test("the same key and event are queued once, also where they come at once, and cancelled for good", async () => {
  const { client } = server;
  await deploy("queued", "export const handler = () => 1;");
  await client.setConcurrency("queued", { reserved: 0 });
  const accept = async (key: string, event = "{}"): Promise<Response> =>
    await server.fetch("/v1/functions/queued/invocations", {
      method: "POST",
      body: event,
      headers: {
        "content-type": "application/json",
        "idempotency-key": key,
        prefer: "respond-async",
      },
    });
  const key = randomUUID();
  assert.equal((await accept(key, "{not")).status, 400, "its key stays free");
  const accepted = await Promise.all([accept(key), accept(key), accept(key)]);
  accepted.push(await accept(key));
  const replays = accepted.filter(({ headers }) => headers.has("runlet-idempotent-replay"));
  assert.equal(replays.length, 3);
  const ids = accepted.map(({ headers }) => headers.get("location"));
  assert.equal(new Set(ids).size, 1);
  const { items } = await client.events({ function: "queued" });
  assert.deepEqual(
    items.map(({ id }) => `/v1/events/${id}`),
    [ids[0]],
  );
  const another = await client.invokeAsync("queued", { idempotencyKey: randomUUID() });
  assert.notEqual(another.eventId, items[0]?.id);
  for (const response of [await accept(key, "[]"), await invoke("queued", { key })]) {
    assert.equal((await problemIn(response)).code, "idempotency_key_reused");
  }
  const id = items[0]?.id ?? "";
  // Not while it is turned away.
  const cancel = async (): Promise<true | undefined> =>
    await client.cancelEvent(id).then(
      () => true,
      () => undefined,
    );
  await poll("cancel it", cancel, { timeoutMs: 20_000 });
  assert.equal((await accept(key)).headers.get("location"), ids[0]);
  assert.equal((await client.events({ function: "queued" })).items.length, 1);
});

for (const key of ['""', "a b", '"', "x".repeat(256)]) {
  test(`the key ${key.slice(0, 10)} is refused`, async () => {
    const problem = await problemIn(await invoke("once", { key }));
    assert.equal(problem.code, "invalid_argument");
    assert.match(problem.detail, /Idempotency-Key/);
  });
}
