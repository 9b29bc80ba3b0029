import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { problemOf } from "../support/problem.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const script: FunctionSpecInput = {
  runtime: "command",
  command: ["/bin/sh", "-c", 'read line; eval "$line"'],
  timeoutMs: 1_500,
};

let server: TestServer;
before(async () => {
  server = await startTestServer();
  const { client } = server;
  for (const name of ["a", "b", "c"]) await client.deploy(name, script);
  await client.invoke("a", { event: "exit 0" });
  await client.invoke("a", { event: "exit 0" });
  await problemOf(client.invoke("a", { event: "exit 1" }));
  await problemOf(client.invoke("b", { event: "kill -TERM $$; sleep 9" }));
  await problemOf(client.invoke("b", { event: "sleep 9" }));
  await client.execute({ runtime: "command", command: ["true"] });
});
after(async () => await server[Symbol.asyncDispose]());

const filters: { query: Record<string, string>; count: number }[] = [
  { query: {}, count: 6 },
  { query: { function: "a" }, count: 3 },
  { query: { function: "c" }, count: 0 },
  { query: { status: "succeeded" }, count: 3 },
  { query: { status: "failed" }, count: 2 },
  { query: { status: "timed_out" }, count: 1 },
  { query: { status: "running" }, count: 0 },
  { query: { reason: "signaled" }, count: 1 },
  { query: { reason: "exited" }, count: 4 },
  { query: { kind: "execute" }, count: 1 },
  { query: { kind: "invoke", function: "a", status: "succeeded" }, count: 2 },
];

for (const { query, count } of filters) {
  test(`the list of invocations with ${JSON.stringify(query)} has ${count}`, async () => {
    const { items, next } = await server.client.invocations(query);
    assert.equal(items.length, count);
    assert.equal(next, undefined);
    for (const item of items) {
      if (query["function"] !== undefined) assert.equal(item.functionName, query["function"]);
      if (query["status"] !== undefined) assert.equal(item.status, query["status"]);
      if (query["reason"] !== undefined) assert.equal(item.exitReason, query["reason"]);
      if (query["kind"] !== undefined) assert.equal(item.kind, query["kind"]);
    }
  });
}

test("invocations are found by their time, as ISO text or in milliseconds", async () => {
  const { items } = await server.client.invocations();
  const [newest, ...older] = items.map(({ id }) => id);
  assert.ok(newest);
  const atMs = Number.parseInt(newest.replace("-", "").slice(0, 12), 16);
  const idsOf = async (query: Record<string, string | number>): Promise<string[]> =>
    (await server.client.invocations(query)).items.map(({ id }) => id);
  assert.deepEqual(await idsOf({ since: atMs }), [newest]);
  assert.deepEqual(await idsOf({ since: new Date(atMs).toISOString() }), [newest]);
  assert.deepEqual(await idsOf({ until: atMs }), older);
  assert.deepEqual(await idsOf({ until: atMs, before: older[1] ?? "" }), older.slice(2));
  assert.deepEqual(await idsOf({ since: atMs + 1 }), []);
  for (const since of ["yesterday", "-1", "2026-13-45"]) {
    assert.equal((await problemOf(idsOf({ since }))).code, "invalid_argument");
  }
});

test("slow invocations are found by how long they ran", async () => {
  const { items } = await server.client.invocations({ minDurationMs: 1_400 });
  assert.deepEqual(
    items.map(({ status }) => status),
    ["timed_out"],
  );
});

test("invocations are listed newest first, page by page, each once", async () => {
  const whole = (await server.client.invocations()).items;
  const times = whole.map(({ queuedAtUs }) => queuedAtUs);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => b - a),
  );
  const ids: string[] = [];
  const sizes: number[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await server.client.invocations({ limit: 4, before: cursor });
    ids.push(...page.items.map(({ id }) => id));
    sizes.push(page.items.length);
    if (page.next === undefined) break;
    cursor = page.next;
  }
  assert.deepEqual(sizes, [4, 2]);
  assert.deepEqual(
    ids,
    whole.map(({ id }) => id),
  );
});

test("an invocation's record has its times in order and its durations within them", async () => {
  const { items } = await server.client.invocations({ function: "a", status: "succeeded" });
  const [item] = items;
  assert.ok(item);
  const { queuedAtUs, startedAtUs = 0, finishedAtUs = 0, runUs = 0, queueUs = -1 } = item;
  assert.ok(queuedAtUs <= startedAtUs && startedAtUs <= finishedAtUs);
  assert.ok(queueUs >= 0 && runUs > 0 && runUs <= finishedAtUs - startedAtUs);
  assert.equal(item.functionVersion, 1);
  assert.match(item.containerId ?? "", /./);
  assert.ok(!("stdout" in item), "a list does not carry output");
});

test("functions are listed by name, page by page, each with its latest version", async () => {
  const { client } = server;
  const first = await client.functions({ limit: 2 });
  assert.deepEqual(
    first.items.map(({ name }) => name),
    ["a", "b"],
  );
  assert.equal(first.next, "b");
  const second = await client.functions({ limit: 2, after: first.next });
  assert.deepEqual(
    second.items.map(({ name }) => name),
    ["c"],
  );
  assert.equal(second.next, undefined);
});

test("a deployment makes a version only where something differs", async () => {
  const { client } = server;
  const first = await client.deploy("changing", script);
  assert.equal(first.created, true);
  assert.equal(first.version.version, 1);
  const again = await client.deploy("changing", script);
  assert.equal(again.created, false);
  assert.deepEqual(again.version, first.version);
  const changed = await client.deploy("changing", { ...script, env: { A: "1" } });
  assert.equal(changed.created, true);
  assert.equal(changed.version.version, 2);
  assert.deepEqual(await client.getFunction("changing", 1), first.version);
  assert.deepEqual(await client.getFunction("changing"), changed.version);
  await client.removeFunction("changing");
});

test("a function that is deployed again after its deletion keeps nothing of the old one", async () => {
  const { client } = server;
  await client.deploy("gone", script);
  const { invocationId } = await client.invoke("gone", { event: "exit 0" });
  await client.removeFunction("gone");
  assert.equal((await problemOf(client.invoke("gone"))).code, "not_found");
  assert.equal((await client.invocation(invocationId)).functionName, "gone");
  await client.deploy("gone", { runtime: "command", command: ["echo", "new"] });
  const answer = await client.invoke("gone");
  assert.equal(Buffer.from(answer.body).toString(), "new\n");
});

test("images come in pages by name", async () => {
  const { client } = server;
  const names: string[] = [];
  let behind: string | undefined;
  do {
    const { items, next } = await client.images({ limit: 1, after: behind });
    assert.equal(items.length, 1);
    names.push(...items.map(({ name }) => name));
    behind = next;
  } while (behind !== undefined);
  assert.ok(names.includes("default") && names.includes("host"), names.join());
  assert.deepEqual(names, names.toSorted());
});
