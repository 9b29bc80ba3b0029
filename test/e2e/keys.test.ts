import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { Client } from "../../api/client/client.ts";
import type { CreatedKey, NewKeyInput, Scope } from "../../api/schema/key.ts";
import { poll } from "../../runtime/deadline.ts";
import { ApiDocument, neededBy } from "../support/api-document.ts";
import { problemIn, problemOf } from "../support/problem.ts";
import { rawRequest } from "../support/raw-request.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const scopes: readonly Scope[] = ["invoke", "deploy", "sandbox", "metrics"];
/** Whoever reaches the server may ask these, or is asked by the function itself. */
const open = /^GET \/(?:healthz|readyz|docs|docs\/\{file\})$|^[A-Z]+ \/f\//;

let server: TestServer;
let first: string;
let admin: Client;
let document: ApiDocument;
before(async () => {
  server = await startTestServer({ overrides: { auth: "required" } });
  first = readFileSync(join(server.config.dataDir, "admin.key"), "utf8").trim();
  admin = new Client({ url: server.url, apiKey: first });
  document = new ApiDocument(await (await server.fetch("/openapi.json")).json());
});
after(async () => await server[Symbol.asyncDispose]());

async function made(spec: Partial<NewKeyInput> = {}): Promise<CreatedKey & { client: Client }> {
  const key = await admin.createKey({ name: "test", scopes: ["invoke"], ...spec });
  return { ...key, client: new Client({ url: server.url, apiKey: key.key }) };
}

suite("every operation of the document", () => {
  test("says which scopes are good for it, unless it is open to anybody", () => {
    for (const [name, operation] of document.operations) {
      const needed = neededBy(operation);
      assert.equal(needed.length === 0, open.test(name), name);
      if (needed.length > 0) assert.ok(needed.includes("admin"), name);
    }
  });

  test("is refused without a key, with a wrong one and with one of other scopes, before its body is read", async () => {
    for (const [name, operation] of document.operations) {
      const needed = neededBy(operation);
      if (needed.length === 0) continue;
      const others = scopes.filter((scope) => !needed.includes(scope));
      assert.ok(others.length > 0, name);
      const { key } = await made({ scopes: others });
      const wrong = `${first.slice(0, -1)}${first.endsWith("0") ? "1" : "0"}`;
      const unread = "content-length: 1000";
      const answers = [
        await ask(name, [unread]),
        await ask(name, [unread, `authorization: Bearer ${wrong}`]),
        await ask(name, [unread, `authorization: Bearer ${key}`]),
      ];
      assert.deepEqual(
        answers.map(({ status }) => status),
        [401, 401, 403],
        name,
      );
      for (const { text } of answers) {
        assert.match(text, /\r\ncontent-type: application\/problem\+json\r\n/i, name);
        assert.match(text, /\r\nwww-authenticate: Bearer realm="runlet"/i, name);
      }
    }
  });

  test("is open to a key of each scope that it names", async () => {
    const keys = new Map<string, string>([["admin", first]]);
    for (const scope of scopes) keys.set(scope, (await made({ scopes: [scope] })).key);
    for (const [name, operation] of document.operations) {
      for (const scope of neededBy(operation)) {
        const lines = ["content-length: 0", `authorization: Bearer ${keys.get(scope)}`];
        const { status } = await ask(name, lines);
        assert.ok(status !== 401 && status !== 403, `${name} with ${scope}: ${status}`);
      }
    }
  });
});

test("a path that no route serves is told of only to who has a key", async () => {
  assert.equal((await server.fetch("/v1/nothing")).status, 401);
  const headers = { authorization: `Bearer ${first}` };
  const problem = await problemIn(await server.fetch("/v1/nothing", { headers }));
  assert.equal(problem.code, "not_found");
});

for (const [what, path] of [
  ["an encoded letter", "/v1/%66unctions"],
  ["an encoded slash", "/v1%2Ffunctions"],
  ["two slashes", "//v1/functions"],
  ["a slash behind it", "/v1/functions/"],
  ["a way up", "/docs/../v1/functions"],
  ["an encoded way up", "/docs/%2e%2e/v1/functions"],
  ["capital letters", "/V1/functions"],
  ["a whole URL", "http://x/v1/functions"],
] as const) {
  test(`a path with ${what} is no way around keys`, async () => {
    const { status, text } = await rawRequest(server.url, [`GET ${path} HTTP/1.1`, "host: x"]);
    assert.ok([400, 401, 404].includes(status), text);
    assert.doesNotMatch(text, /"items"/);
  });
}

for (const [what, line] of [
  ["another scheme", "authorization: Basic KEY"],
  ["no scheme", "authorization: KEY"],
  ["text behind it", "authorization: Bearer KEY x"],
  ["another header", "x-api-key: KEY"],
] as const) {
  test(`a key with ${what} is none`, async () => {
    const lines = ["GET /v1/keys HTTP/1.1", "host: x", line.replace("KEY", first)];
    assert.equal((await rawRequest(server.url, lines)).status, 401);
  });
}

test("the first key is in a file for its owner alone, and is not made again", async () => {
  const mode = statSync(join(server.config.dataDir, "admin.key")).mode & 0o777;
  assert.equal(mode, 0o600);
  const { items } = await admin.keys({ limit: 200 });
  assert.equal(items.filter(({ name }) => name === "first").length, 1);
});

test("a key is shown once, and nothing of the record has it", async () => {
  const { id, key } = await made({ name: "once" });
  assert.match(key, /^rlk_[0-9a-f]{20}_[0-9a-f]{64}$/);
  assert.deepEqual(Object.hasOwn(await admin.key(id), "key"), false);
  const secret = key.split("_")[2] ?? "";
  for (const file of ["runlet.db", "runlet.db-wal"]) {
    const bytes = readFileSync(join(server.config.dataDir, file));
    assert.equal(bytes.includes(secret), false, file);
    assert.equal(bytes.includes(Buffer.from(secret, "hex")), false, file);
  }
});

test("a key tells when it was used last", async () => {
  const { id, client } = await made();
  assert.equal((await admin.key(id)).lastUsedAtUs, undefined);
  await client.functions();
  assert.ok((await admin.key(id)).lastUsedAtUs);
});

test("a revoked key is refused from the next request on", async () => {
  const { id, client } = await made();
  await client.functions();
  await admin.revokeKey(id);
  const { code, detail } = await problemOf(client.functions());
  assert.equal(code, "unauthenticated");
  assert.match(detail, new RegExp(`key ${id} was revoked`));
  const { revokedAtUs } = await admin.key(id);
  await admin.revokeKey(id);
  assert.equal((await admin.key(id)).revokedAtUs, revokedAtUs);
});

test("a key that has expired is refused", async () => {
  const { client } = await made({ expiresInMs: 1000 });
  await client.functions();
  const refused = async (): Promise<string | undefined> =>
    await client.functions().then(
      () => undefined,
      (error: Error) => error.message,
    );
  assert.match(await poll("see it refused", refused, { timeoutMs: 5000 }), /has expired/);
});

test("a key may ask as often as its rate allows", async () => {
  const limits = { requestRate: { perSecond: 0.01, burst: 2 } };
  const { id, client } = await made({ limits });
  await client.functions();
  await client.functions();
  const { code, detail } = await problemOf(client.functions());
  assert.equal(code, "resource_exhausted");
  assert.match(detail, new RegExp(`key ${id} may ask 0.01 times a second, 2 at once`));
});

test("a key has no more sandboxes open than it may, and no more memory", async () => {
  const limits = { maxSandboxes: 1, maxSandboxMemoryBytes: 256 * 1024 ** 2 };
  const { id, client } = await made({ scopes: ["sandbox"], limits });
  const large = await problemOf(client.createSandbox({ memoryBytes: 512 * 1024 ** 2 }));
  assert.equal(large.code, "resource_exhausted");
  assert.match(large.detail, new RegExp(`the open ones of key ${id} may use 0 of 268435456`));
  const sandbox = await client.createSandbox({ memoryBytes: 128 * 1024 ** 2 });
  assert.equal(sandbox.keyId, id);
  const fork = await problemOf(client.forkSandbox(sandbox.id, { count: 1 }));
  assert.match(fork.detail, new RegExp(`1 of key ${id} are open of 1 that may be`));
  const second = await problemOf(client.createSandbox({ memoryBytes: 64 * 1024 ** 2 }));
  assert.match(second.detail, new RegExp(`1 of key ${id} are open of 1 that may be`));
  await client.removeSandbox(sandbox.id);
  const other = await admin.createSandbox({ memoryBytes: 128 * 1024 ** 2 });
  assert.equal(other.keyId, first.split("_")[1]);
  await admin.removeSandbox(other.id);
});

test("a function at its URL asks for no key, and sees none that it is sent", async () => {
  const source = `export default { fetch: ({ headers }) => Response.json([...headers.keys()]) };`;
  await admin.deploy("open", { runtime: "node", code: { source }, http: { public: true } });
  const headers = { authorization: `Bearer ${first}`, "x-other": first, "x-own": "kept" };
  const names = (await (await server.fetch("/f/open", { headers })).json()) as string[];
  assert.ok(names.includes("x-own"));
  assert.ok(!names.includes("authorization") && !names.includes("x-other"));
});

async function ask(name: string, lines: readonly string[]): ReturnType<typeof rawRequest> {
  const [method = "", template = ""] = name.split(" ");
  const path = template.replaceAll(/\{\w+\}/g, "x");
  return await rawRequest(server.url, [`${method} ${path} HTTP/1.1`, "host: x", ...lines]);
}
