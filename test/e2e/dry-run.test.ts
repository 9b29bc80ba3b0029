import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { problemIn } from "../support/problem.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
  const code = { source: "export const handler = (event) => event;" };
  await server.client.deploy("echo", { runtime: "node", code });
});
after(async () => await server[Symbol.asyncDispose]());

async function dryRun(path: string, body = "{}", word = "true"): Promise<Response> {
  return await server.fetch(`/v1/functions/${path}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", "runlet-dry-run": word },
  });
}

test("a dry run of what would run is a 204 that names the version, and runs nothing", async () => {
  const response = await dryRun("echo/invocations?qualifier=1");
  assert.deepEqual([response.status, await response.text()], [204, ""]);
  assert.equal(response.headers.get("runlet-function-version"), "1");
  assert.deepEqual((await server.client.invocations()).items, []);
});

const wrong: { what: string; path: string; body?: string; word?: string; code: string }[] = [
  { what: "a function that is not there", path: "nobody/invocations", code: "not_found" },
  { what: "a version that is not there", path: "echo/invocations?qualifier=9", code: "not_found" },
  { what: "a bad qualifier", path: "echo/invocations?qualifier=~", code: "invalid_argument" },
  { what: "a bad event", path: "echo/invocations", body: "{not", code: "invalid_argument" },
  { what: "another word than true", path: "echo/invocations", word: "1", code: "invalid_argument" },
];
for (const { what, path, body, word, code } of wrong) {
  test(`a dry run of ${what} is refused as the invocation would be`, async () => {
    assert.equal((await problemIn(await dryRun(path, body, word))).code, code);
    assert.deepEqual((await server.client.invocations()).items, []);
  });
}
