import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { problemIn, problemOf } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { ...smallPool, maxEventBytes: 64 * 1024 } });
  const source = `export const handler = (event) => {
    if (event === "throw") throw new RangeError("no");
    if (event === "bytes") return new Uint8Array([0, 255]);
    if (event === "large") return "x".repeat(1024 * 1024 + 1);
    if (event === "page") return new Response("{", { status: 404, headers: { "content-type": "application/json" } });
    return event;
  };`;
  await server.client.deploy("many", { runtime: "node", code: { source } });
});
after(async () => await server[Symbol.asyncDispose]());

test("each event of a batch is an invocation, and the answers come in the order of the events", async () => {
  const events = Array.from({ length: 20 }, (_, index) => ({ index }));
  const { items } = await server.client.invokeBatch("many", events);
  assert.deepEqual(
    items.map(({ status, answer }) => ({ status, answer })),
    events.map((answer) => ({ status: 200, answer })),
  );
  const { items: records } = await server.client.invocations({ function: "many", limit: 200 });
  const ids = items.map(({ invocationId }) => invocationId);
  assert.equal(new Set(ids).size, 20);
  assert.deepEqual(new Set(records.map(({ id }) => id)), new Set(ids));
});

test("each answer is told as what it is, and a failure in its own place", async () => {
  const events = ["text", null, "bytes", "throw", "page", "large"];
  const { items } = await server.client.invokeBatch("many", events);
  const told = items.map(({ status, answer, answerBase64, error }) => {
    return [status, answer ?? answerBase64, error?.functionError?.name ?? error?.code];
  });
  assert.deepEqual(told, [
    [200, "text", undefined],
    [200, undefined, undefined],
    [200, "AP8=", undefined],
    [502, undefined, "RangeError"],
    [404, "{", undefined],
    [413, undefined, "payload_too_large"],
  ]);
  assert.equal(items[0]?.contentType, "text/plain; charset=utf-8");
  assert.equal(items[1]?.answer, null);
  for (const { invocationId = "" } of items) await server.client.invocation(invocationId);
});

test("numbers of events and of answers keep all of their digits", async () => {
  const source = "def handler(event, context):\n    return event\n";
  await server.client.deploy("echo", { runtime: "python", code: { source } });
  const texts = ["12345678901234567890", '{"n":[-9007199254740993,1,"],[\\""]}', "7", '"[,"', "[]"];
  const response = await server.fetch("/v1/functions/echo/batch", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{ "events": {"a": [1, 2]}, "events": [ ${texts.join(" , ")} ] }`,
  });
  const told = await response.text();
  const answers = [...told.matchAll(/"answer":(.*?)\}(?=,\{"invocationId"|\]\}$)/g)];
  assert.deepEqual(
    answers.map(([, answer]) => answer),
    texts,
  );
});

test("events that find no room within the function's bounds are told so", async () => {
  await using small = await startTestServer({ overrides: { queueLimit: 0, maxConcurrency: 1 } });
  const source = "export const handler = (event) => event;";
  await small.client.deploy("one", { runtime: "node", code: { source } });
  const { items } = await small.client.invokeBatch("one", [1, 2, 3]);
  assert.deepEqual(
    items.map(({ status, invocationId }) => [status, invocationId === undefined]),
    [
      [200, false],
      [429, true],
      [429, true],
    ],
  );
});

test("a batch is of one version, the latest or the one that is named", async () => {
  for (const text of ["first", "second"]) {
    const source = `export const handler = () => "${text}";`;
    await server.client.deploy("versioned", { runtime: "node", code: { source } });
  }
  const { items } = await server.client.invokeBatch("versioned", [1], { qualifier: "1" });
  assert.equal(items[0]?.answer, "first");
  const latest = await server.client.invokeBatch("versioned", [1]);
  assert.equal(latest.items[0]?.answer, "second");
  const { code } = await problemOf(server.client.invokeBatch("nobody", [1]));
  assert.equal(code, "not_found");
});

const wrong: [string, unknown, string][] = [
  ["no events", { events: [] }, "invalid_argument"],
  ["more than 100 events", { events: Array.from({ length: 101 }, () => 1) }, "invalid_argument"],
  ["another shape", [1, 2], "invalid_argument"],
  ["more bytes than an event may have", { events: ["x".repeat(65_536)] }, "payload_too_large"],
];
for (const [what, body, code] of wrong) {
  test(`a batch of ${what} is refused and runs nothing`, async () => {
    const known = await server.client.invocations({ function: "many" });
    const response = await server.fetch("/v1/functions/many/batch", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.equal((await problemIn(response)).code, code);
    assert.deepEqual(await server.client.invocations({ function: "many" }), known);
  });
}
