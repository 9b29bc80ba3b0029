import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { problemIn, problemOf } from "../support/problem.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

function says(text: string): FunctionSpecInput {
  return { runtime: "node", code: { source: `export const handler = () => "${text}";` } };
}

/** Deploys a function whose versions answer with their numbers. */
async function deployed(name: string, versions: number): Promise<void> {
  for (let version = 1; version <= versions; version++) {
    const command = ["echo", "-n", String(version)];
    const made = await server.client.deploy(name, { runtime: "command", command });
    assert.equal(made.version.version, version);
  }
}

async function answerOf(name: string, qualifier?: string): Promise<string> {
  return Buffer.from((await server.client.invoke(name, { qualifier })).body).toString();
}

test("an alias sends calls to its version until it is sent elsewhere", async () => {
  const { client } = server;
  await deployed("moved", 3);
  const created = await client.createAlias("moved", { name: "live", version: 1 });
  const { revisionId, createdAtUs } = created;
  assert.deepEqual(created, {
    functionName: "moved",
    name: "live",
    version: 1,
    description: "",
    revisionId,
    createdAtUs,
    updatedAtUs: createdAtUs,
  });
  assert.equal(await answerOf("moved", "live"), "1");
  const put = await client.putAlias("moved", "live", { version: 2, description: "now 2" });
  assert.deepEqual([put.version, put.description, put.createdAtUs], [2, "now 2", createdAtUs]);
  assert.deepEqual(await client.getAlias("moved", "live"), put);
  assert.equal(await answerOf("moved", "live"), "2");
  assert.equal(await answerOf("moved"), "3");
  const taken = await problemOf(client.createAlias("moved", { name: "live", version: 1 }));
  assert.equal(taken.code, "already_exists");
  await client.removeAlias("moved", "live");
  assert.equal((await problemOf(client.invoke("moved:live"))).code, "not_found");
});

test("a name with a qualifier is as good as a qualifier in the query, and both may say the same", async () => {
  const { client } = server;
  await deployed("named", 2);
  await client.putAlias("named", "live", { version: 1 });
  assert.equal(await answerOf("named:live"), "1");
  assert.equal(await answerOf("named:1"), "1");
  assert.equal(await answerOf("named:$LATEST"), "2");
  assert.equal(await answerOf("named:live", "live"), "1");
  const problem = await problemOf(client.invoke("named:live", { qualifier: "1" }));
  assert.equal(problem.code, "invalid_argument");
});

test("an invocation's record tells by which qualifier it was called", async () => {
  const { client } = server;
  await deployed("recorded", 1);
  await client.putAlias("recorded", "live", { version: 1 });
  const recorded = async (name: string): Promise<unknown> => {
    const { invocationId } = await client.invoke(name);
    const { functionVersion, qualifier } = await client.invocation(invocationId);
    return { functionVersion, qualifier };
  };
  assert.deepEqual(await recorded("recorded"), { functionVersion: 1, qualifier: undefined });
  assert.deepEqual(await recorded("recorded:1"), { functionVersion: 1, qualifier: "1" });
  assert.deepEqual(await recorded("recorded:live"), { functionVersion: 1, qualifier: "live" });
});

test("a second version gets its share of an alias's calls", async () => {
  const { client } = server;
  await deployed("shared", 2);
  const weighted = async (weight: number): Promise<string> => {
    const second = { version: 2, weight };
    const alias = await client.putAlias("shared", "live", { version: 1, second });
    assert.deepEqual(alias.second, second);
    return await answerOf("shared:live");
  };
  assert.equal(await weighted(0), "1");
  assert.equal(await weighted(1), "2");
});

test("aliases and versions are listed page by page", async () => {
  const { client } = server;
  await deployed("paged", 3);
  for (const name of ["c", "a", "b"]) await client.createAlias("paged", { name, version: 1 });
  const names = await client.aliases("paged", { limit: 2 });
  assert.deepEqual([names.items.map(({ name }) => name), names.next], [["a", "b"], "b"]);
  const rest = await client.aliases("paged", { limit: 2, after: names.next });
  assert.deepEqual([rest.items.map(({ name }) => name), rest.next], [["c"], undefined]);
  const newest = await client.versions("paged", { limit: 2 });
  assert.deepEqual([newest.items.map(({ version }) => version), newest.next], [[3, 2], "2"]);
  const oldest = await client.versions("paged", { limit: 2, before: newest.next });
  assert.deepEqual(oldest, { items: [await client.getFunction("paged", 1)] });
});

test("a version is deleted unless it is the latest or an alias names it", async () => {
  const { client } = server;
  await deployed("pruned", 4);
  const second = { version: 2, weight: 0.1 };
  await client.putAlias("pruned", "live", { version: 1, second });
  for (const version of [1, 2]) {
    const problem = await problemOf(client.removeVersion("pruned", version));
    assert.equal(problem.code, "failed_precondition");
    assert.match(problem.detail, /alias live names it/);
  }
  assert.match((await problemOf(client.removeVersion("pruned", 4))).detail, /it is the latest/);
  await client.putAlias("pruned", "live", { version: 3 });
  assert.equal(await answerOf("pruned:1"), "1");
  await client.removeVersion("pruned", 1);
  assert.equal((await problemOf(client.invoke("pruned:1"))).code, "not_found");
  assert.equal((await problemOf(client.removeVersion("pruned", 1))).code, "not_found");
  assert.equal(await answerOf("pruned:live"), "3");
});

test("a function that comes back after its deletion has none of its aliases", async () => {
  const { client } = server;
  await deployed("gone", 1);
  await client.putAlias("gone", "live", { version: 1 });
  assert.equal(await answerOf("gone:live"), "1");
  await client.removeFunction("gone");
  await client.deploy("gone", { runtime: "command", command: ["true"] });
  assert.deepEqual(await client.aliases("gone"), { items: [] });
  assert.equal((await problemOf(client.invoke("gone:live"))).code, "not_found");
});

test("a change with an ETag is made only while nobody else has made one", async () => {
  const { client } = server;
  await deployed("guarded", 2);
  await client.createAlias("guarded", { name: "live", version: 1 });
  for (const path of ["/v1/functions/guarded", "/v1/functions/guarded/aliases/live"]) {
    const response = await server.fetch(path);
    const { revisionId } = (await response.json()) as { revisionId: string };
    assert.equal(response.headers.get("etag"), `"${revisionId}"`);
    const body = JSON.stringify(
      path.endsWith("live") ? { version: 2 } : { runtime: "command", command: ["echo", "new"] },
    );
    const change = async (method: string, ifMatch: string): Promise<Response> => {
      const headers = { "content-type": "application/json", "if-match": ifMatch };
      return await server.fetch(path, { method, headers, ...(method === "PUT" && { body }) });
    };
    const stale = await problemIn(await change("PUT", '"another"'));
    assert.deepEqual([stale.status, stale.code], [412, "condition_not_met"]);
    const changed = await change("PUT", `"another", "${revisionId}"`);
    assert.ok(changed.ok);
    const etag = changed.headers.get("etag") ?? "";
    assert.notEqual(etag, `"${revisionId}"`);
    assert.equal((await change("PUT", `"${revisionId}"`)).status, 412);
    assert.equal((await change("DELETE", `"${revisionId}"`)).status, 412);
    assert.equal((await change("PUT", "*")).status, 200);
  }
  const { revisionId: ofAlias } = await client.getAlias("guarded", "live");
  await client.removeAlias("guarded", "live", { ifMatch: ofAlias });
  const { revisionId } = await client.getFunction("guarded");
  await client.removeFunction("guarded", { ifMatch: revisionId });
  const nothing = await problemOf(
    client.deploy("guarded", { runtime: "command", command: ["true"] }, { ifMatch: revisionId }),
  );
  assert.equal(nothing.code, "condition_not_met");
});

test("of two deployments with the same ETag one is refused, though both were loaded at once", async () => {
  const { client } = server;
  const { version } = await client.deploy("raced", says("first"));
  const change = { ifMatch: version.revisionId };
  const both = ["a", "b"].map(async (text) => await client.deploy("raced", says(text), change));
  const ends = await Promise.allSettled(both);
  assert.deepEqual(ends.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.equal((await client.versions("raced")).items.length, 2);
});

test("with isNew, nothing that exists is replaced", async () => {
  const { client } = server;
  const spec = { runtime: "command" as const, command: ["true"] };
  const made = await client.deploy("only-new", spec, { isNew: true });
  assert.equal(made.created, true);
  const again = await problemOf(client.deploy("only-new", spec, { isNew: true }));
  assert.deepEqual([again.status, again.code], [412, "condition_not_met"]);
  await client.putAlias("only-new", "live", { version: 1 }, { isNew: true });
  const alias = await problemOf(
    client.putAlias("only-new", "live", { version: 1 }, { isNew: true }),
  );
  assert.equal(alias.code, "condition_not_met");
});
