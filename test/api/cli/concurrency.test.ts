import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestServer, type TestServer } from "../../support/server.ts";
import { type Ended, runlet } from "./runlet.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { maxConcurrency: 4 } });
  const code = { source: "export const handler = () => 1;" };
  await server.client.deploy("f", { runtime: "node", code }, { check: false });
});
after(async () => await server[Symbol.asyncDispose]());

test("concurrency set changes what is named and leaves the rest, show tells it, and rm unsets it", async () => {
  const unset = "Function f: reserved none; provisioned as its versions say\n";
  assert.equal(await said("show", "f"), unset);
  assert.match(
    await said("set", "f", "--reserved", "2"),
    /^Function f: reserved 2; provisioned as/,
  );
  const both = "Function f: reserved 2; provisioned 0\n";
  assert.equal(await said("set", "f", "--provisioned", "0"), both);
  assert.equal(await said("show", "f"), both);
  assert.deepEqual(JSON.parse(await said("show", "f", "--json")), { reserved: 2, provisioned: 0 });
  assert.equal(await said("rm", "f"), unset);
  assert.equal(await said("show", "f"), unset);
});

test("concurrency set without anything to set is a wrong command line", async () => {
  const { exitCode, stderr } = await concurrency("set", "f");
  assert.equal(exitCode, 2);
  assert.match(stderr, /expected --reserved or --provisioned/);
});

test("concurrency set that the server refuses tells the numbers and ends with 1", async () => {
  const { exitCode, stderr } = await concurrency("set", "f", "--reserved", "4");
  assert.equal(exitCode, 1);
  assert.match(stderr, /Cannot reserve 4 container slots for function f: of 4, 0 are reserved/);
});

test("deploy takes how often one caller may call", async () => {
  const args = ["deploy", "--name", "g", "--rate-limit", "2.5", "--json", "--", "true"];
  const { exitCode, stdout, stderr } = await runlet(args, { url: server.url });
  assert.equal(exitCode, 0, stderr);
  const { rateLimit } = JSON.parse(stdout) as { rateLimit: object };
  assert.deepEqual(rateLimit, { perSecond: 2.5 });
});

/** What a command printed that must succeed. */
async function said(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await concurrency(...args);
  assert.equal(exitCode, 0, stderr);
  return stdout;
}

async function concurrency(...args: string[]): Promise<Ended> {
  return await runlet(["concurrency", ...args], { url: server.url });
}
