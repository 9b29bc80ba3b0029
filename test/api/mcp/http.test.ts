import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client as McpClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { Client } from "../../../api/client/client.ts";
import type { Scope } from "../../../api/schema/key.ts";
import { problemIn } from "../../support/problem.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let admin: Client;
before(async () => {
  server = await startTestServer({ overrides: { auth: "required" } });
  const apiKey = readFileSync(join(server.config.dataDir, "admin.key"), "utf8").trim();
  admin = new Client({ url: server.url, apiKey });
});
after(async () => await server[Symbol.asyncDispose]());

const list = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
const headers = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};

async function withKey(scopes: Scope[]): Promise<AsyncDisposable & { client: McpClient }> {
  const { key } = await admin.createKey({ name: "agent", scopes });
  const client = new McpClient({ name: "test", version: "1" });
  const requestInit = { headers: { authorization: `Bearer ${key}` } };
  const transport = new StreamableHTTPClientTransport(new URL("/mcp", server.url), { requestInit });
  await client.connect(transport);
  return { client, [Symbol.asyncDispose]: async () => await client.close() };
}

test("a tool acts with the key of its request, and no further than that", async () => {
  await using agent = await withKey(["invoke"]);
  const listed = (await agent.client.callTool({ name: "list_functions" })) as CallToolResult;
  assert.equal(listed.isError, undefined);
  const refused = (await agent.client.callTool({ name: "open_sandbox" })) as CallToolResult;
  assert.equal(refused.isError, true);
  assert.match(JSON.stringify(refused.content), /this takes sandbox.*\(permission_denied\)/);
});

test("sandboxes that an agent opens belong to its key", async () => {
  await using agent = await withKey(["sandbox"]);
  const opened = (await agent.client.callTool({ name: "open_sandbox" })) as CallToolResult;
  const id = String(opened.structuredContent?.["sandboxId"]);
  const { keyId } = await admin.getSandbox(id);
  const named = (await admin.keys()).items.find((each) => each.id === keyId);
  assert.equal(named?.name, "agent");
  await admin.removeSandbox(id);
});

test("without a key, and from a page of another origin, nothing is answered", async () => {
  const bare = await server.fetch("/mcp", { method: "POST", headers, body: list });
  assert.equal((await problemIn(bare)).code, "unauthenticated");
  const { key } = await admin.createKey({ name: "agent", scopes: ["sandbox"] });
  const authorization = `Bearer ${key}`;
  const foreign = { ...headers, authorization, origin: "https://example.org" };
  const led = await server.fetch("/mcp", { method: "POST", headers: foreign, body: list });
  assert.equal((await problemIn(led)).code, "permission_denied");
  const own = { ...headers, authorization, origin: server.url };
  const taken = await server.fetch("/mcp", { method: "POST", headers: own, body: list });
  assert.match(await taken.text(), /"name":"run_code"/);
});

test("there is no stream but in answers, and what is no message is answered in the protocol's words", async () => {
  const { key } = await admin.createKey({ name: "agent", scopes: ["sandbox"] });
  const own = { ...headers, authorization: `Bearer ${key}` };
  const got = await server.fetch("/mcp", { headers: own });
  assert.deepEqual([got.status, got.headers.get("allow")], [405, "POST"]);
  await got.text();
  for (const body of ["garbage", "{}", '{"jsonrpc":"2.0","method":7}']) {
    const answer = await server.fetch("/mcp", { method: "POST", headers: own, body });
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), /"error":\{"code":-32/);
  }
  const large = await server.fetch("/mcp", {
    method: "POST",
    headers: own,
    body: "x".repeat(17 * 1024 * 1024),
  });
  assert.equal(large.status, 413);
});
