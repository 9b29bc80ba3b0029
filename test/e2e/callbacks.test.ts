import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import type { Event } from "../../api/schema/event.ts";
import { poll } from "../../runtime/deadline.ts";
import { eventIn } from "../support/events.ts";
import { problemIn } from "../support/problem.ts";
import { isSigned, type Receiver, startReceiver } from "../support/receiver.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const source = "export const handler = async (event) => event;";
const code = { source };
const key = "a key of some length";

let open: TestServer;
let client: Client;
before(async () => {
  open = await startTestServer({ overrides: { allowPrivateCallbacks: true } });
  ({ client } = open);
  await client.setSecret("callback-key", key);
});
after(async () => await open[Symbol.asyncDispose]());

test("the end of an event is posted to the URL that its function names, signed, under the same trace", async () => {
  await using receiver = await startReceiver();
  await deploy("posted", receiver, "/ended?a=1");
  const { eventId } = await client.invokeAsync("posted", { event: '{"n":1}' });
  const [request] = await receiver.until(1);
  assert.ok(request !== undefined && isSigned(request, key));
  assert.ok(!isSigned({ ...request, body: `${request.body} ` }, key));
  assert.ok(!isSigned(request, "another key"));
  assert.equal(request.path, "/ended?a=1");
  assert.equal(request.headers["content-type"], "application/json");
  const document = JSON.parse(request.body) as Record<string, Record<string, unknown>>;
  assert.equal(document["requestContext"]?.["requestId"], eventId);
  assert.deepEqual(document["responsePayload"], { n: 1 });
  const delivery = await eventIn(client, String(request.headers["webhook-id"]), "succeeded");
  assert.equal(delivery.kind, "deliver");
  assert.equal(delivery.functionName, "posted");
  assert.equal(delivery.source, "destination:posted");
  assert.deepEqual(delivery.callback, { url: `${receiver.url}/ended?a=1`, secret: "callback-key" });
  const { traceId } = await client.event(eventId);
  assert.equal(delivery.traceId, traceId);
  assert.match(String(request.headers["traceparent"]), new RegExp(`^00-${traceId}-`));
});

test("a delivery that fails is tried again under the same id", async () => {
  await using receiver = await startReceiver((_, count) => ({ status: count === 0 ? 503 : 200 }));
  await deploy("again", receiver);
  await client.invokeAsync("again");
  const [first, second] = await receiver.until(2);
  assert.ok(second !== undefined && isSigned(second, key));
  assert.equal(second.headers["webhook-id"], first?.headers["webhook-id"]);
  const delivery = await eventIn(client, String(second.headers["webhook-id"]), "succeeded");
  assert.equal(delivery.attempts, 2);
});

test("a redirect is not followed and counts as a failure", async () => {
  await using receiver = await startReceiver(() => ({ status: 307, location: "/elsewhere" }));
  await deploy("moved", receiver);
  await client.invokeAsync("moved");
  const requests = await receiver.until(2);
  assert.deepEqual(
    requests.map(({ path }) => path),
    ["/", "/"],
  );
  const delivery = await client.event(String(requests[0]?.headers["webhook-id"]));
  assert.equal(delivery.error?.code, "delivery_failed");
  assert.match(delivery.error.message, /307, and redirects are not followed/);
});

test("a delivery whose receiver wants no more is a dead letter at once, and can be driven again", async () => {
  let status = 410;
  await using receiver = await startReceiver(() => ({ status }));
  await deploy("unwanted", receiver);
  await client.invokeAsync("unwanted");
  const letter = await deadDelivery(client, "unwanted");
  assert.equal(letter.kind, "deliver");
  assert.match(letter.error?.message ?? "", /wants no more/);
  const metrics = await (await open.fetch("/metrics")).text();
  assert.match(metrics, /runlet_events\{function="unwanted",kind="deliver",state="dead"\} 1/);
  status = 200;
  assert.deepEqual(await client.redriveAll("unwanted"), { count: 1 });
  await eventIn(client, letter.id, "succeeded");
});

test("a receiver whose answer does not end is waited for no longer than until its status", async () => {
  await using receiver = await startReceiver(() => ({ status: 200, isEndless: true }));
  await deploy("quick", receiver);
  await client.invokeAsync("quick");
  const [request] = await receiver.until(1);
  await eventIn(client, String(request?.headers["webhook-id"]), "succeeded");
});

test("a caller that does not wait may name a callback of its own, beside the function's destination", async () => {
  await using receiver = await startReceiver();
  await deploy("both", receiver, "/destination");
  const callback = { url: `${receiver.url}/callback`, secret: "callback-key" };
  const { eventId } = await client.invokeAsync("both", { callback });
  assert.deepEqual((await client.event(eventId)).callback, callback);
  const requests = await receiver.until(2);
  assert.deepEqual(requests.map(({ path }) => path).sort(), ["/callback", "/destination"]);
  assert.notEqual(requests[0]?.headers["webhook-id"], requests[1]?.headers["webhook-id"]);
  const told = requests.find(({ path }) => path === "/callback");
  const delivery = await client.event(String(told?.headers["webhook-id"]));
  assert.equal(delivery.source, "callback:both");
});

const wrong: [what: string, headers: Record<string, string>, status: number][] = [
  ["without a secret", { "runlet-callback-url": "https://example.org/" }, 400],
  ["without a URL", { "runlet-callback-secret": "callback-key" }, 400],
  ["that is no URL", callbackHeaders("example"), 400],
  ["with a secret that is not there", callbackHeaders("https://example.org/", "no-such"), 409],
];

for (const [what, headers, status] of wrong) {
  test(`a callback ${what} is refused, and nothing is queued`, async () => {
    await client.deploy("wrong", { runtime: "node", code });
    const answer = await invoke({ ...headers, prefer: "respond-async" });
    assert.equal((await problemIn(answer)).status, status);
    assert.deepEqual((await client.events({ function: "wrong" })).items, []);
  });
}

test("a callback for a call that waits for its answer is refused", async () => {
  await client.deploy("wrong", { runtime: "node", code });
  const answer = await invoke(callbackHeaders("https://example.org/"));
  assert.match((await problemIn(answer)).detail ?? "", /Prefer: respond-async/);
});

test("by default nothing is sent to addresses that are not public, whether named or looked up", async () => {
  await using receiver = await startReceiver();
  await using server = await startTestServer();
  await server.client.setSecret("callback-key", key);
  const port = new URL(receiver.url).port;
  for (const [name, host] of Object.entries({ number: "127.0.0.1", word: "localhost" })) {
    const onSuccess = { url: `https://${host}:${port}/`, secret: "callback-key" };
    await server.client.deploy(name, { runtime: "node", code, async: { onSuccess } });
    await server.client.invokeAsync(name);
    const letter = await deadDelivery(server.client, name);
    assert.equal(letter.attempts, 1);
    assert.equal(letter.error?.code, "failed_precondition");
    assert.match(letter.error.message, /no address of the public Internet/);
  }
  assert.equal(receiver.received.length, 0);
});

async function deploy(name: string, receiver: Receiver, path = "/"): Promise<void> {
  const onSuccess = { url: receiver.url + path, secret: "callback-key" };
  await client.deploy(name, { runtime: "node", code, async: { onSuccess } });
}

function callbackHeaders(url: string, secret = "callback-key"): Record<string, string> {
  return { "runlet-callback-url": url, "runlet-callback-secret": secret };
}

async function invoke(headers: Record<string, string>): Promise<Response> {
  return await open.fetch("/v1/functions/wrong/invocations", {
    method: "POST",
    headers,
    body: "{}",
  });
}

async function deadDelivery(of: Client, functionName: string): Promise<Event> {
  return await poll(
    `see a delivery of ${functionName} given up`,
    async () => (await of.deadLetters({ function: functionName })).items[0],
    { timeoutMs: 20_000 },
  );
}
