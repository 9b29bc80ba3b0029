import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventIn, failedOnce } from "../support/events.ts";
import { problemOf } from "../support/problem.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const async = { maxAttempts: 1 };
const broken = 'export const handler = () => { throw new Error("broken"); };';
const mended = "export const handler = (event) => event;";

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

test("an event that was given up is kept with its body and its last error, and succeeds when driven again", async () => {
  const { client } = server;
  const id = await deadLetter("mended", { event: '{"n":1}' });
  const letter = await client.deadLetter(id);
  assert.equal(letter.body, '{"n":1}');
  assert.equal(letter.bodyEncoding, "utf8");
  assert.match(letter.error?.message ?? "", /broken/);
  assert.deepEqual(
    (await client.deadLetters({ function: "mended" })).items.map((item) => item.id),
    [id],
  );
  await client.deploy("mended", { runtime: "node", code: { source: mended }, async });
  const queued = await client.redrive(id);
  assert.notEqual(queued.state, "dead");
  const event = await eventIn(client, id, "succeeded");
  assert.deepEqual(
    event.invocations.map(({ status }) => status),
    ["failed", "succeeded"],
  );
  assert.equal(event.condition, undefined);
  assert.equal((await problemOf(client.deadLetter(id))).code, "not_found");
  assert.equal((await problemOf(client.redrive(id))).code, "not_found");
});

test("a body that is no text comes as base64", async () => {
  const event = new Uint8Array([0, 255, 1]);
  const id = await deadLetter("bytes", { event, contentType: "application/octet-stream" });
  const letter = await server.client.deadLetter(id);
  assert.deepEqual([letter.bodyEncoding, letter.body], ["base64", "AP8B"]);
});

test("all dead letters of a function are driven again at once, and those of others stay", async () => {
  const { client } = server;
  const ids = [await deadLetter("some"), await deadLetter("some")];
  const other = await deadLetter("other");
  await client.deploy("some", { runtime: "node", code: { source: mended }, async });
  assert.deepEqual(await client.redriveAll("some"), { count: 2 });
  for (const id of ids) await eventIn(client, id, "succeeded");
  assert.equal((await client.event(other)).state, "dead");
  assert.deepEqual(await client.redriveAll("some"), { count: 0 });
});

test("a dead letter is removed by itself or with all of its function, and is gone then", async () => {
  const { client } = server;
  const ids = [
    await deadLetter("trash"),
    await deadLetter("trash"),
    await deadLetter("trash"),
  ] as const;
  const kept = await deadLetter("kept");
  await client.removeDeadLetter(ids[0]);
  assert.equal((await problemOf(client.removeDeadLetter(ids[0]))).code, "not_found");
  assert.deepEqual(await client.purgeDeadLetters("trash"), { count: 2 });
  assert.deepEqual(await client.deadLetters({ function: "trash" }), { items: [] });
  assert.equal((await client.event(kept)).state, "dead");
  const response = await server.fetch("/v1/dead-letters", { method: "DELETE" });
  assert.equal(response.status, 400, "a purge of all functions has to be asked for by name");
});

test("the metrics tell how many events a function has in each state, and how old the oldest one is", async () => {
  await deadLetter("counted");
  await deadLetter("counted");
  await server.client.deploy("late", {
    runtime: "node",
    code: { source: broken },
    async: { backoffMs: 600_000 },
  });
  const { eventId } = await server.client.invokeAsync("late");
  await failedOnce(server.client, eventId);
  const metrics = await (await server.fetch("/metrics")).text();
  assert.match(metrics, /runlet_events\{function="counted",kind="invoke",state="dead"\} 2/);
  assert.match(metrics, /runlet_events\{function="late",kind="invoke",state="queued"\} 1/);
  assert.match(metrics, /runlet_events_oldest_queued_seconds\{function="late"\} \d/);
});

/** Has an event of a function that throws given up, and answers its id. */
async function deadLetter(
  name: string,
  event: { event?: string | Uint8Array; contentType?: string } = {},
): Promise<string> {
  const { client } = server;
  await client.deploy(name, { runtime: "node", code: { source: broken }, async });
  const { eventId } = await client.invokeAsync(name, event);
  await eventIn(client, eventId, "dead");
  return eventId;
}
