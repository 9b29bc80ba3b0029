import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestServer } from "../../support/server.ts";
import { runlet } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url, client } = server;

before(async () => {
  const code = { source: "export const handler = (event) => event.rawPath;" };
  await client.deploy("site", { runtime: "node", code, http: { public: true } });
  await client.deploy("inner", { runtime: "node", code });
});

test("url prints where a public function answers, and it does answer there", async () => {
  const { stdout, stderr, exitCode } = await runlet(["url", "site"], { url });
  assert.deepEqual([stdout, stderr, exitCode], [`${url}/f/site\n`, "", 0]);
  assert.equal(await (await fetch(`${stdout.trim()}/a/b`)).text(), "/a/b");
  const versioned = await runlet(["url", "site", "--qualifier", "1"], { url });
  assert.equal(await (await fetch(versioned.stdout.trim())).text(), "/");
});

test("url says of a function that it is not public", async () => {
  const { stdout, stderr, exitCode } = await runlet(["url", "inner"], { url });
  assert.deepEqual([stdout, exitCode], [`${url}/f/inner\n`, 0]);
  assert.match(stderr, /inner is not public: deploy it with --public/);
  const json = await runlet(["url", "inner", "--json"], { url });
  assert.deepEqual(JSON.parse(json.stdout), { url: `${url}/f/inner`, public: false });
});

test("url of a function that is not there is refused", async () => {
  const { exitCode, stderr } = await runlet(["url", "nobody"], { url });
  assert.equal(exitCode, 1);
  assert.match(stderr, /Cannot find function nobody/);
});
