import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Client } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import type { Problem } from "../../api/schema/problem.ts";
import { poll, within } from "../../runtime/deadline.ts";
import { problemIn } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let client: Client;
let held: Promise<unknown> | undefined;
const keys = { admin: "", invoke: "", deploy: "", none: "", wrong: `rl_${"0".repeat(40)}` };
/** One invocation runs and one waits, so there is room for none. */
before(async () => {
  const overrides = { auth: "required", maxConcurrency: 1, queueLimit: 1 } as const;
  server = await startTestServer({ overrides });
  keys.admin = readFileSync(join(server.config.dataDir, "admin.key"), "utf8").trim();
  client = new Client({ url: server.url, apiKey: keys.admin });
  for (const scope of ["invoke", "deploy"] as const) {
    keys[scope] = (await client.createKey({ name: scope, scopes: [scope] })).key;
  }
  const command: FunctionSpecInput = { runtime: "command", command: ["sleep", "600"] };
  await client.deploy("busy", command);
  await client.deploy("quick", { runtime: "command", command: ["true"] });
  const node: FunctionSpecInput = {
    runtime: "node",
    code: { source: "export const handler = () => 1;" },
  };
  await client.deploy("private", node);
  await client.deploy("public", { ...node, http: { public: true, cors: { origins: ["*"] } } });
  await client.deploy("stopped", node);
  await client.setConcurrency("stopped", { reserved: 0 });
  await client.putAlias("busy", "live", { version: 1 });
  held = Promise.allSettled([client.invoke("busy"), client.invoke("busy")]);
  await runningInvocation(client, "busy");
  await poll("see the server full", isFull, { timeoutMs: 5_000 });
});
after(async () => {
  const isOver = Promise.resolve(held).then(() => true as const);
  const cancelled = async (): Promise<true | undefined> => {
    const { items } = await client.invocations({ status: "running" });
    for (const { id } of items) await client.cancel(id);
    return await Promise.race([isOver, setImmediate(undefined)]);
  };
  await poll("cancel what holds the slots", cancelled, { timeoutMs: 10_000 });
  await server[Symbol.asyncDispose]();
});

/** Whether one more is turned away; one that comes too early waits for a slot itself, until it gives up. */
async function isFull(): Promise<true | undefined> {
  const signal = AbortSignal.timeout(200);
  const asked = ask("POST", "/v1/functions/busy/invocations", { signal });
  const isRefused = asked.then(
    ({ status }) => status === 429,
    () => false,
  );
  return (await isRefused) || undefined;
}

async function ask(
  method: string,
  path: string,
  { key = "invoke", headers = {}, signal }: Partial<Asked> = {},
): Promise<Response> {
  const authorization = keys[key] === "" ? {} : { authorization: `Bearer ${keys[key]}` };
  const init = { method, headers: { ...authorization, ...headers } };
  return await server.fetch(path, { ...init, ...(signal && { signal }) });
}

interface Asked {
  key: keyof typeof keys;
  headers: Record<string, string>;
  signal: AbortSignal;
}

type Row = [what: string, method: string, path: string, asked: Partial<Asked>, status: number];
const rows: Row[] = [
  ["an invocation", "POST", "/v1/functions/busy/invocations", {}, 429],
  ["one of another function", "POST", "/v1/functions/private/invocations", {}, 429],
  ["one by an alias", "POST", "/v1/functions/busy:live/invocations", {}, 429],
  ["one by a query", "POST", "/v1/functions/busy/invocations?qualifier=1", {}, 429],
  ["one by a version that is not there", "POST", "/v1/functions/busy:7/invocations", {}, 404],
  ["one of no function", "POST", "/v1/functions/nobody/invocations", {}, 404],
  ["one without a key", "POST", "/v1/functions/busy/invocations", { key: "none" }, 401],
  ["one with a wrong key", "POST", "/v1/functions/busy/invocations", { key: "wrong" }, 401],
  ["one with another scope", "POST", "/v1/functions/busy/invocations", { key: "deploy" }, 403],
  ["a call of a URL", "GET", "/f/public", { key: "none" }, 429],
  ["a call below a URL", "PUT", "/f/public:1/a/b?c=d", { key: "none" }, 429],
  ["a call of a URL that is not public", "GET", "/f/private", { key: "none" }, 403],
  [
    "a dry run",
    "POST",
    "/v1/functions/busy/invocations",
    { headers: { "runlet-dry-run": "true" } },
    204,
  ],
  [
    "one that nobody waits for",
    "POST",
    "/v1/functions/quick/invocations",
    { headers: { prefer: "respond-async" } },
    202,
  ],
  ["anything else", "GET", "/v1/functions/busy/invocations", {}, 404],
];
for (const [what, method, path, asked, status] of rows) {
  test(`a full server answers ${what} with ${status}`, async () => {
    const response = await ask(method, path, asked);
    assert.equal(response.status, status);
    if (status === 429) assert.equal(response.headers.get("retry-after"), "1");
    await response.body?.cancel();
  });
}

test("what is turned away at once is told the same as what went the whole way", async () => {
  const path = "/v1/functions/busy/invocations";
  const told = async (headers: Record<string, string>): Promise<Told> => {
    const response = await ask("POST", path, { headers });
    const { "runlet-request-id": id, date: _, ...rest } = Object.fromEntries(response.headers);
    assert.match(id ?? "", /^[\da-f-]{36}$/);
    return { headers: rest, problem: await problemIn(response) };
  };
  // A key makes it one to be looked up first.
  assert.deepEqual(await told({}), await told({ "idempotency-key": "k" }));
});

interface Told {
  headers: Record<string, string>;
  problem: Problem;
}

test("a page may read that it was turned away, where it may read answers", async () => {
  const response = await ask("GET", "/f/public", {
    key: "none",
    headers: { origin: "http://page.test" },
  });
  assert.equal(response.status, 429);
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  await response.body?.cancel();
});

test("a function that is stopped says so, full or not", async () => {
  const problem = await problemIn(await ask("POST", "/v1/functions/stopped/invocations"));
  assert.match(problem.detail, /it is stopped/);
});

test("each is counted", async () => {
  const known = await throttled();
  for (let n = 0; n < 3; n++) await ask("POST", "/v1/functions/busy/invocations");
  assert.equal((await throttled()) - known, 3);
});

test("a connection whose caller was turned away can be used on, whatever it sent", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const post = async (): Promise<[status: number | undefined, isReused: boolean]> => {
    const answered = Promise.withResolvers<[number | undefined, boolean]>();
    const path = "/v1/functions/busy/invocations";
    const headers = { authorization: `Bearer ${keys.invoke}`, "content-length": 60_000 };
    const sent = request(server.url + path, { agent, method: "POST", headers }, (response) => {
      response.resume().on("end", () => answered.resolve([response.statusCode, sent.reusedSocket]));
    });
    sent.on("error", answered.reject);
    sent.end(Buffer.alloc(60_000, "x"));
    return await within(answered.promise, "be answered", 5_000);
  };
  assert.deepEqual(await post(), [429, false]);
  for (let n = 0; n < 3; n++) assert.deepEqual(await post(), [429, true]);
  agent.destroy();
});

async function throttled(): Promise<number> {
  const headers = { authorization: `Bearer ${keys.admin}` };
  const text = await (await server.fetch("/metrics", { headers })).text();
  return Number(/^runlet_throttled_total\{reason="capacity"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}
