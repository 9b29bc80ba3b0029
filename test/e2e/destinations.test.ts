import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import type { Event } from "../../api/schema/event.ts";
import { poll } from "../../runtime/deadline.ts";
import { eventIn } from "../support/events.ts";
import { problemOf } from "../support/problem.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const source = `export const handler = async (event) => {
  if (event.fail) throw new TypeError("asked to");
  return { echoed: event };
};`;
const print = "export const handler = async (event) => console.log(JSON.stringify(event));";
const code = { source };
const once = { maxAttempts: 1 };

let server: TestServer;
let client: Client;
before(async () => {
  server = await startTestServer({ overrides: { poolMax: 4 } });
  ({ client } = server);
  await client.deploy("told", { runtime: "node", code: { source: print } });
});
after(async () => await server[Symbol.asyncDispose]());

test("what a function answered goes to the function that it names for success, under the same trace", async () => {
  const async = { onSuccess: { function: "told:$LATEST" } };
  await client.deploy("good", { runtime: "node", code, async });
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const { eventId } = await client.invokeAsync("good", { event: '{"n":1}', traceparent });
  const { event, document } = await toldOf("good", eventId);
  assert.equal(event.kind, "invoke");
  assert.equal(event.source, "destination:good");
  assert.equal(event.traceId, "4bf92f3577b34da6a3ce929d0e0e4736");
  assert.equal(event.contentType, "application/json");
  const { timestamp, ...rest } = document;
  assert.ok(Math.abs(Date.parse(String(timestamp)) - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    version: "1.0",
    requestContext: {
      requestId: eventId,
      functionArn: "arn:aws:lambda:us-east-1:000000000000:function:good:$LATEST",
      condition: "Success",
      approximateInvokeCount: 1,
      payloadEncoding: "json",
    },
    requestPayload: { n: 1 },
    responseContext: { statusCode: 200, executedVersion: "1", payloadEncoding: "json" },
    responsePayload: { echoed: { n: 1 } },
  });
});

test("why an event was given up goes to the function that it names for failure, and it is a dead letter too", async () => {
  const async = { maxAttempts: 2, backoffMs: 10, onFailure: { function: "told" } };
  await client.deploy("bad", { runtime: "node", code, async });
  const { eventId } = await client.invokeAsync("bad", { event: '{"fail":true}' });
  const { document } = await toldOf("bad", eventId);
  assert.equal((await client.deadLetter(eventId)).condition, "RetriesExhausted");
  const { requestContext, requestPayload, responseContext, responsePayload } = document;
  assert.deepEqual(requestContext, {
    requestId: eventId,
    functionArn: "arn:aws:lambda:us-east-1:000000000000:function:bad:$LATEST",
    condition: "RetriesExhausted",
    approximateInvokeCount: 2,
    payloadEncoding: "json",
  });
  assert.deepEqual(requestPayload, { fail: true });
  assert.deepEqual(responseContext, {
    statusCode: 200,
    executedVersion: "1",
    functionError: "Unhandled",
    payloadEncoding: "json",
  });
  assert.deepEqual(responsePayload, { errorType: "TypeError", errorMessage: "asked to" });
  await client.redrive(eventId);
  await eventIn(client, eventId, "dead");
  const again = await poll(
    "see the second end told of",
    async () => {
      const { items } = await client.events({ function: "told", limit: 200 });
      const told = items.filter((event) => event.source === "destination:bad");
      return told.length === 2 ? told : undefined;
    },
    { timeoutMs: 20_000 },
  );
  assert.notEqual(again[0]?.id, again[1]?.id, "each end has an event of its own");
});

test("an event that was turned away until it was too old is told of without an attempt", async () => {
  const async = { maxAgeMs: 1_000, onFailure: { function: "told" } };
  await client.deploy("turned-away", { runtime: "node", code, async });
  await client.setConcurrency("turned-away", { reserved: 0 });
  const { eventId } = await client.invokeAsync("turned-away");
  const { document } = await toldOf("turned-away", eventId);
  assert.deepEqual(document["requestContext"], {
    requestId: eventId,
    functionArn: "arn:aws:lambda:us-east-1:000000000000:function:turned-away:$LATEST",
    condition: "EventAgeExceeded",
    approximateInvokeCount: 0,
    payloadEncoding: "json",
  });
  const { attempts, condition, error } = await client.deadLetter(eventId);
  assert.deepEqual([attempts, condition], [0, "EventAgeExceeded"]);
  assert.equal(error?.code, "resource_exhausted");
});

test("an end that nobody is named for queues nothing", async () => {
  await client.deploy("half", {
    runtime: "node",
    code,
    async: { ...once, onSuccess: { function: "told" } },
  });
  const { eventId } = await client.invokeAsync("half", { event: '{"fail":true}' });
  await eventIn(client, eventId, "dead");
  const { items } = await client.events({ limit: 200 });
  assert.deepEqual(
    items.filter(({ source: from }) => from === "destination:half"),
    [],
  );
});

test("functions that are each other's destination end after 16 turns with a dead letter that says so", async () => {
  await client.deploy("ping", { runtime: "node", code, isolation: "reuse" });
  const toPing = { onSuccess: { function: "ping" }, onFailure: { function: "ping" } };
  await client.deploy("pong", { runtime: "node", code, isolation: "reuse", async: toPing });
  const toPong = { onSuccess: { function: "pong" }, onFailure: { function: "pong" } };
  await client.deploy("ping", { runtime: "node", code, isolation: "reuse", async: toPong });
  const { eventId } = await client.invokeAsync("ping");
  const { traceId } = await eventIn(client, eventId, "succeeded");
  const letter = await poll(
    "see the circle end",
    async () => {
      const { items } = await client.deadLetters({ limit: 200 });
      return items.find((item) => item.traceId === traceId);
    },
    { timeoutMs: 30_000 },
  );
  assert.equal(letter.error?.code, "failed_precondition");
  assert.match(letter.error.message, /16 destinations in a row led to it/);
  const invocations = await client.invocations({ traceId, limit: 200 });
  assert.equal(invocations.items.length, 17);
  const rest = (await client.events({ limit: 200 })).items.filter(
    (item) => item.traceId === traceId,
  );
  assert.deepEqual(
    rest.filter(({ state }) => state !== "succeeded").map(({ id }) => id),
    [letter.id],
    "it queues nothing further",
  );
});

test("a destination that was deleted before it was told is a dead letter of its own", async () => {
  await client.deploy("brief", { runtime: "node", code });
  const async = { onSuccess: { function: "brief:1" } };
  await client.deploy("late", { runtime: "node", code, async });
  await client.deploy("brief", { runtime: "node", code: { source: print } });
  await client.setConcurrency("brief", { reserved: 0 });
  const { eventId } = await client.invokeAsync("late");
  await eventIn(client, eventId, "succeeded");
  await client.deploy("late", { runtime: "node", code });
  await client.removeVersion("brief", 1);
  await client.removeConcurrency("brief");
  const letter = await poll(
    "see what could not be told",
    async () => (await client.deadLetters({ function: "brief" })).items[0],
    { timeoutMs: 20_000 },
  );
  assert.equal(letter.error?.code, "not_found");
  assert.equal(letter.source, "destination:late");
});

const refusals: [destination: object, pattern: RegExp][] = [
  [{ function: "nobody" }, /async\.onSuccess.*nobody/],
  [{ function: "told:99" }, /async\.onSuccess.*99/],
  [{ function: "refused" }, /function itself/],
  [{ url: "https://example.org/", secret: "no-such" }, /secret no-such.*does not exist/],
  [{ url: "http://example.org/", secret: "no-such" }, /has to begin with https:/],
  [{ url: "https://me:word@example.org/", secret: "no-such" }, /expected/],
  [{ url: "ftp://example.org/", secret: "no-such" }, /expected/],
  [{ url: "https://example.org/" }, /expected/],
  [{ function: "told", url: "https://example.org/", secret: "no-such" }, /expected/],
];

for (const [onSuccess, pattern] of refusals) {
  test(`a function with the destination ${JSON.stringify(onSuccess)} is refused`, async () => {
    const response = await server.fetch("/v1/functions/refused?check=false", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ runtime: "node", code, async: { onSuccess } }),
    });
    assert.ok([400, 409].includes(response.status), `it is ${response.status}`);
    assert.match(await response.text(), pattern);
    assert.equal((await server.fetch("/v1/functions/refused")).status, 404);
  });
}

test("a function or a secret that a destination names cannot be deleted before it is named no more", async () => {
  await client.deploy("named", { runtime: "node", code });
  await client.setSecret("named-key", "value");
  const async = {
    onSuccess: { function: "named" },
    onFailure: { url: "https://example.org/", secret: "named-key" },
  };
  await client.deploy("naming", { runtime: "node", code, async });
  assert.match((await problemOf(client.removeFunction("named"))).detail ?? "", /function naming/);
  const problem = await problemOf(client.removeSecret("named-key"));
  assert.equal(problem.code, "failed_precondition");
  await client.removeFunction("naming");
  await client.removeFunction("named");
  await client.removeSecret("named-key");
});

test("an alias or a version that a destination names cannot be deleted before it is named no more", async () => {
  for (const STEP of ["1", "2"]) {
    await client.deploy("target", { runtime: "node", code, env: { STEP } });
  }
  await client.putAlias("target", "live", { version: 2 });
  const async = {
    onSuccess: { function: "target:live" },
    onFailure: { function: "target:1" },
  };
  await client.deploy("pointing", { runtime: "node", code, async });
  for (const removal of [client.removeAlias("target", "live"), client.removeVersion("target", 1)]) {
    const { code: problemCode, detail } = await problemOf(removal);
    assert.equal(problemCode, "failed_precondition");
    assert.match(detail ?? "", /function pointing would be left without it/);
  }
  await client.removeFunction("pointing");
  await client.removeAlias("target", "live");
  await client.removeVersion("target", 1);
  await client.removeFunction("target");
});

/** The event that tells `told` of the end of another one, and the document in it. */
async function toldOf(
  functionName: string,
  eventId: string,
): Promise<{ event: Event; document: Record<string, unknown> }> {
  return await poll(
    `see ${functionName} told of`,
    async () => {
      const { items } = await client.events({
        function: "told",
        state: "succeeded",
        limit: 200,
      });
      for (const event of items.filter(
        ({ source: from }) => from === `destination:${functionName}`,
      )) {
        const [attempt] = (await client.event(event.id)).invocations;
        const { stdout } = await client.invocation(attempt?.invocationId ?? "");
        if (stdout.includes(eventId)) {
          return { event, document: JSON.parse(stdout) as Record<string, unknown> };
        }
      }
      return undefined;
    },
    { timeoutMs: 20_000 },
  );
}
