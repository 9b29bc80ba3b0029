import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { poll } from "../../runtime/deadline.ts";
import { call } from "../support/call.ts";
import { problemIn } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

const source = "export default { fetch: () => new Response('ok') };";
/** A bucket that does not fill again while a test looks at it. */
const rateLimit = { perSecond: 0.01, burst: 2 };
const limited: FunctionSpecInput = {
  runtime: "node",
  isolation: "reuse",
  code: { source },
  http: { public: true },
  rateLimit,
};

let server: TestServer;
let client: Client;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
  ({ client } = server);
});
after(async () => await server[Symbol.asyncDispose]());

test("who calls more often than a function says is refused, and told when to come again", async () => {
  await client.deploy("api", limited);
  const calls = await Promise.all([1, 2, 3].map(async () => await call(server, "api")));
  assert.deepEqual(
    calls.map(({ status }) => status).sort((a, b) => a - b),
    [200, 200, 429],
  );
  const refused = calls.find(({ status }) => status === 429);
  assert.ok(refused !== undefined);
  const { code, detail } = await problemIn(refused);
  assert.equal(code, "resource_exhausted");
  assert.match(detail, /function api: one caller may call it 0\.01 times a second, 2 at once/);
  const seconds = Number(refused.headers.get("retry-after"));
  assert.ok(seconds > 90 && seconds <= 100, `${seconds} s`);
  assert.equal((await client.invocations({ function: "api" })).items.length, 2);
});

test("at a function's URL each network address is a caller, whatever the headers say", async () => {
  await client.deploy("site", limited);
  const visit = async (from: string): Promise<number> => {
    const headers = { "x-forwarded-for": from, forwarded: `for=${from}`, "x-real-ip": from };
    return (await server.fetch("/f/site", { headers })).status;
  };
  assert.deepEqual([await visit("1.1.1.1"), await visit("2.2.2.2")], [200, 200]);
  assert.equal(await visit("3.3.3.3"), 429);
  assert.equal((await call(server, "site")).status, 200, "the API is another caller");
});

test("an old version is no way around the limit of the latest one", async () => {
  await client.deploy("old", { ...limited, rateLimit: { perSecond: 1000 } });
  await client.deploy("old", limited);
  for (const status of [200, 200, 429, 429]) {
    assert.equal((await server.fetch("/f/old:1")).status, status);
  }
});

test("a function that says less often later is called less often at once, and one that says nothing as ever", async () => {
  await client.deploy("changed", { ...limited, rateLimit: { perSecond: 1000 } });
  for (let count = 0; count < 5; count++) assert.equal((await call(server, "changed")).status, 200);
  await client.deploy("changed", limited);
  const statuses = [];
  for (let count = 0; count < 4; count++) statuses.push((await call(server, "changed")).status);
  assert.equal(statuses.at(-1), 429);
  const { rateLimit: _rateLimit, ...unlimited } = limited;
  await client.deploy("changed", unlimited);
  assert.equal((await call(server, "changed")).status, 200);
});

test("events are accepted however often, and wait where their function may not be called", async () => {
  await client.deploy("later", limited);
  const ids = await Promise.all(
    Array.from({ length: 4 }, async () => (await client.invokeAsync("later")).eventId),
  );
  const events = await poll(
    "see two run and the next turned away",
    async () => {
      const all = await Promise.all(ids.map(async (id) => await client.event(id)));
      const done = all.filter(({ state }) => state === "succeeded");
      const turnedAway = all.filter(({ state, error }) => state === "queued" && error);
      return done.length === 2 && turnedAway.length > 0 ? turnedAway : undefined;
    },
    { timeoutMs: 20_000 },
  );
  for (const { attempts, error } of events) {
    assert.deepEqual([attempts, error?.code], [0, "resource_exhausted"]);
  }
  for (const { id } of events) await client.cancelEvent(id);
});
