import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { EventDetail } from "../../../api/schema/event.ts";
import { eventIn, failedOnce } from "../../support/events.ts";
import { startTestServer } from "../../support/server.ts";
import { runlet } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url, client } = server;

const source = `export const handler = (event) => {
  if (event.fail) throw new Error("asked to");
};`;

test("invoke --async prints the event's id, by which events shows it", async () => {
  await client.deploy("good", { runtime: "node", code: { source } });
  const { exitCode, stdout, stderr } = await runlet(["invoke", "good", "--async"], { url });
  assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" });
  const id = stdout.trim();
  await eventIn(client, id, "succeeded");
  const shown = await runlet(["events", "show", id], { url });
  assert.equal((JSON.parse(shown.stdout) as EventDetail).invocations.length, 1);
  const listed = await runlet(["events", "--function", "good"], { url });
  assert.match(listed.stdout, /^ID .*FUNCTION +KIND +STATE +ATTEMPTS/);
  assert.match(listed.stdout, new RegExp(`\\n${id} +good +invoke +succeeded +1 `));
  const json = await runlet(["invoke", "good", "--async", "--json"], { url });
  assert.match((JSON.parse(json.stdout) as { eventId: string }).eventId, /^[0-9a-f-]{36}$/);
  const late = await runlet(["events", "cancel", id, "--json"], { url });
  assert.equal(late.exitCode, 1);
  assert.match(late.stderr, /failed_precondition/);
});

test("invoke --async names a callback, and takes none without its secret or for a call that waits", async () => {
  const words = [
    "--callback-url",
    "https://callback.invalid/",
    "--callback-secret",
    "callback-key",
  ];
  await client.setSecret("callback-key", "key");
  await client.deploy("calls-back", { runtime: "node", code: { source } });
  const { exitCode, stdout } = await runlet(["invoke", "calls-back", "--async", ...words], { url });
  assert.equal(exitCode, 0);
  const { callback } = await client.event(stdout.trim());
  assert.deepEqual(callback, { url: "https://callback.invalid/", secret: "callback-key" });
  for (const wrong of [words, ["--async", ...words.slice(2)]]) {
    const refused = await runlet(["invoke", "calls-back", ...wrong], { url });
    assert.match(refused.stderr, /expected --async, --callback-url and --callback-secret together/);
  }
});

test("an event that waits is cancelled by events cancel", async () => {
  await client.deploy("slow", { runtime: "node", code: { source } });
  const { eventId } = await client.invokeAsync("slow", { event: '{"fail":true}' });
  await failedOnce(client, eventId);
  const { exitCode, stdout } = await runlet(["events", "cancel", eventId], { url });
  assert.deepEqual([exitCode, stdout], [0, `Cancelled event ${eventId}\n`]);
});

test("dead letters are listed, shown, driven again and removed", async () => {
  const async = { maxAttempts: 1 };
  await client.deploy("bad", { runtime: "node", code: { source }, async });
  const { eventId } = await client.invokeAsync("bad", { event: '{"fail":true}' });
  await eventIn(client, eventId, "dead");
  const listed = await runlet(["dead-letters", "ls", "--function", "bad"], { url });
  assert.match(
    listed.stdout,
    new RegExp(`\\n${eventId} +bad +invoke +dead +1 .* function_error\\n`),
  );
  const shown = await runlet(["dead-letters", "show", eventId], { url });
  assert.match(shown.stdout, /"body": "\{\\"fail\\":true\}"/);
  const one = await runlet(["dead-letters", "redrive", eventId], { url });
  assert.deepEqual([one.exitCode, one.stdout], [0, "Queued 1 anew\n"]);
  await eventIn(client, eventId, "dead");
  const all = await runlet(["dead-letters", "redrive", "--function", "bad", "--json"], { url });
  assert.deepEqual(JSON.parse(all.stdout), { count: 1 });
  await eventIn(client, eventId, "dead");
  const purged = await runlet(["dead-letters", "purge", "--function", "bad"], { url });
  assert.deepEqual([purged.exitCode, purged.stdout], [0, "Removed 1\n"]);
  const none = await runlet(["dead-letters"], { url });
  assert.deepEqual([none.exitCode, none.stdout, none.stderr], [0, "", "No dead letters.\n"]);
  const unclear = await runlet(["dead-letters", "purge"], { url });
  assert.equal(unclear.exitCode, 2);
});
