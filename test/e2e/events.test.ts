import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { eventIn, failedOnce } from "../support/events.ts";
import { problemIn, problemOf } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const source = `export const handler = async (event) => {
  if (event.fail) throw new Error("asked to");
  if (event.ms) await new Promise((done) => setTimeout(done, event.ms));
  return event;
};`;

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { maxAsyncEventBytes: 1000 } });
  await server.client.deploy("work", { runtime: "node", code: { source } });
  const quick = { maxAttempts: 3, backoffMs: 20 };
  await server.client.deploy("retried", { runtime: "node", code: { source }, async: quick });
});
after(async () => await server[Symbol.asyncDispose]());

test("an event with Prefer: respond-async is answered 202 with where it is, and runs on record", async () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const response = await server.fetch("/v1/functions/work/invocations", {
    method: "POST",
    body: '{"n":1}',
    headers: {
      prefer: "respond-async",
      "content-type": "application/json",
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    },
  });
  assert.equal(response.status, 202);
  assert.equal(response.headers.get("preference-applied"), "respond-async");
  const { eventId } = (await response.json()) as { eventId: string };
  assert.equal(response.headers.get("location"), `/v1/events/${eventId}`);
  const event = await eventIn(server.client, eventId, "succeeded");
  assert.equal(event.attempts, 1);
  assert.equal(event.traceId, traceId);
  assert.equal(event.source, "api");
  const [attempt] = event.invocations;
  const record = await server.client.invocation(attempt?.invocationId ?? "");
  assert.equal(record.status, "succeeded");
  assert.equal(record.eventId, eventId);
  assert.equal(record.attempt, 1);
  assert.equal(record.answerBytes, 7);
});

test("an event that fails is tried as often as its function says and is dead then, with each attempt on record", async () => {
  const { eventId } = await server.client.invokeAsync("retried", { event: '{"fail":true}' });
  const event = await eventIn(server.client, eventId, "dead");
  assert.equal(event.attempts, 3);
  assert.equal(event.condition, "RetriesExhausted");
  assert.equal(event.error?.code, "function_error");
  assert.match(event.error.message, /asked to/);
  assert.deepEqual(
    event.invocations.map(({ attempt, status }) => [attempt, status]),
    [1, 2, 3].map((attempt) => [attempt, "failed"]),
  );
});

test("an event that could only be tried again too late is dead with its age as the reason", async () => {
  const async = { maxAgeMs: 1000, backoffMs: 60_000 };
  await server.client.deploy("aged", { runtime: "node", code: { source }, async });
  const { eventId } = await server.client.invokeAsync("aged", { event: '{"fail":true}' });
  const event = await eventIn(server.client, eventId, "dead");
  assert.equal(event.condition, "EventAgeExceeded");
  assert.equal(event.attempts, 1);
});

test("an event that waits to be tried again can be cancelled, and one that ended cannot", async () => {
  await server.client.deploy("slow", { runtime: "node", code: { source } });
  const { eventId } = await server.client.invokeAsync("slow", { event: '{"fail":true}' });
  const waiting = await failedOnce(server.client, eventId);
  const waitMs = ((waiting.nextAtUs ?? 0) - waiting.acceptedAtUs) / 1000;
  assert.ok(waitMs > 48_000 && waitMs < 92_000, `it waits for ${waitMs} ms`);
  await server.client.cancelEvent(eventId);
  assert.equal((await problemOf(server.client.event(eventId))).code, "not_found");
  const done = await server.client.invokeAsync("work");
  await eventIn(server.client, done.eventId, "succeeded");
  const problem = await problemOf(server.client.cancelEvent(done.eventId));
  assert.equal(problem.code, "failed_precondition");
});

test("an event whose running invocation is cancelled is dead and not tried again", async () => {
  await server.client.deploy("halted", { runtime: "node", code: { source } });
  const { eventId } = await server.client.invokeAsync("halted", { event: '{"ms":20000}' });
  const { id } = await runningInvocation(server.client, "halted");
  assert.equal((await problemOf(server.client.cancelEvent(eventId))).code, "failed_precondition");
  await server.client.cancel(id);
  const event = await eventIn(server.client, eventId, "dead");
  assert.equal(event.error?.code, "cancelled");
});

test("an event of a function that was deleted meanwhile is dead at once", async () => {
  const async = { backoffMs: 300 };
  await server.client.deploy("gone", { runtime: "node", code: { source }, async });
  const { eventId } = await server.client.invokeAsync("gone", { event: '{"fail":true}' });
  await poll(
    "see the first attempt",
    async () => ((await server.client.event(eventId)).invocations.length > 0 ? true : undefined),
    { timeoutMs: 20_000 },
  );
  await server.client.removeFunction("gone");
  const event = await eventIn(server.client, eventId, "dead");
  assert.equal(event.error?.code, "not_found");
});

test("what cannot be queued is refused and not queued", async () => {
  const queuedBefore = await server.client.events({ limit: 200 });
  const refusals: [status: number, name: string, body: string, query?: string][] = [
    [404, "nobody", "{}"],
    [404, "work", "{}", "?qualifier=99"],
    [400, "work", "{"],
    [413, "work", JSON.stringify("x".repeat(1000))],
  ];
  for (const [status, name, body, query = ""] of refusals) {
    const response = await server.fetch(`/v1/functions/${name}/invocations${query}`, {
      method: "POST",
      body,
      headers: { prefer: "respond-async", "content-type": "application/json" },
    });
    assert.equal((await problemIn(response)).status, status, body);
  }
  assert.equal((await server.fetch("/v1/events/no-id")).status, 400);
  assert.deepEqual(await server.client.events({ limit: 200 }), queuedBefore);
});

test("events are listed by function and state, page by page", async () => {
  await server.client.deploy("listed", { runtime: "node", code: { source } });
  const ids: string[] = [];
  for (let count = 0; count < 3; count++) {
    ids.push((await server.client.invokeAsync("listed")).eventId);
  }
  for (const id of ids) await eventIn(server.client, id, "succeeded");
  const filter = { function: "listed", state: "succeeded" as const, limit: 2 };
  const page = await server.client.events(filter);
  assert.deepEqual(
    page.items.map(({ id }) => id),
    [ids[2], ids[1]],
  );
  const rest = await server.client.events({ ...filter, before: page.next });
  assert.deepEqual(
    rest.items.map(({ id }) => id),
    [ids[0]],
  );
  assert.equal(rest.next, undefined);
  assert.deepEqual((await server.client.events({ ...filter, state: "dead" })).items, []);
});
