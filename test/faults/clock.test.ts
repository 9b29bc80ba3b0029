import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Client } from "../../api/client/client.ts";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { eventIn, failedOnce } from "../support/events.ts";
import { problemOf } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { tempDir } from "../support/temp-dir.ts";

const hourMs = 3_600_000;
const timeoutMs = 20_000;
const module = join(import.meta.dirname, "../fixtures/settable-clock.ts");
const source = `export const handler = async ({ ms, fails }, { attempt }) => {
  await new Promise((done) => setTimeout(done, ms));
  if (fails) throw new Error("not yet");
  return ms;
};`;

test("where the clock is set an hour ahead and back, all is due by what it shows, and takes as long as it takes", async () => {
  await using dir = await tempDir();
  const clock = dir.file("clock");
  const env = {
    NODE_OPTIONS: `--import=${module}`,
    RUNLET_TEST_CLOCK: clock,
    RUNLET_AUTH: "required",
  };
  await using server = await startChildServer({ directory: dir.path, env });
  const apiKey = readFileSync(join(server.dataDir, "admin.key"), "utf8").trim();
  const client = new Client({ url: server.url, apiKey });
  let steps = 0;
  const setClock = async (offMs: number): Promise<void> => {
    writeFileSync(clock, String(offMs));
    server.kill("SIGUSR2");
    steps++;
    const told = (): true | undefined =>
      server.log().split("the clock was set").length > steps ? true : undefined;
    await poll("see the server notice", told, { timeoutMs });
  };
  const runs = async (schedule: string): Promise<number> =>
    (await client.getSchedule(schedule)).last?.dueAtUs ?? 0;

  const async = { maxAttempts: 2, backoffMs: 1_800_000 };
  await client.deploy("nap", { runtime: "node", isolation: "reuse", code: { source }, async });
  const key = await client.createKey({ name: "brief", scopes: ["invoke"], expiresInMs: 1_800_000 });
  const holder = new Client({ url: server.url, apiKey: key.key });
  await holder.invoke("nap", { event: '{"ms":0}' });
  const spec = { function: "nap", expression: "rate(20 minutes)", event: { ms: 1 } };
  await client.putSchedule("often", { ...spec, missedRuns: "run-once" });
  const failing = await client.invokeAsync("nap", { event: '{"ms":1,"fails":true}' });
  await failedOnce(client, failing.eventId);
  const across = client.invoke("nap", { event: '{"ms":2500}' });
  const { id } = await runningInvocation(client, "nap");
  const lasting = await client.createSandbox({ timeoutMs: 600_000 });
  await setClock(hourMs);

  assert.match((await problemOf(holder.invoke("nap"))).detail, /has expired/);
  const dead = await eventIn(client, failing.eventId, "dead");
  assert.equal(dead.attempts, 2);
  await poll("see the schedule run", async () => ((await runs("often")) > 0 ? true : undefined), {
    timeoutMs,
  });
  assert.equal((await across).status, 200);
  assert.equal((await client.getSandbox(lasting.id)).state, "running");
  const record = await client.invocation(id);
  const { queuedAtUs, startedAtUs = 0, finishedAtUs = 0 } = record;
  const [queued, started, finished] = [queuedAtUs, startedAtUs, finishedAtUs];
  assert.ok(queued <= started && started + 2_400_000 <= finished, "in order");
  assert.ok(finished - started < 60_000_000, "as long as it took");
  const later = await lastRecord(client);
  const aheadUs = later.queuedAtUs - Date.now() * 1000;
  assert.ok(Math.abs(aheadUs - hourMs * 1000) < 60_000_000, `${aheadUs} us ahead`);

  const again = await client.invokeAsync("nap", { event: '{"ms":1,"fails":true}' });
  await failedOnce(client, again.eventId);
  const backwards = client.invoke("nap", { event: '{"ms":2500}' });
  const ahead = await runningInvocation(client, "nap");
  const brief = await client.createSandbox({ timeoutMs: 2_000 });
  await setClock(0);
  await backwards;
  const { startedAtUs: began = 0, finishedAtUs: ended = 0 } = await client.invocation(ahead.id);
  assert.ok(ended - began >= 2_400_000 && ended - began < 60_000_000);
  const schedule = await client.getSchedule("often");
  assert.ok(dueInMs(schedule.nextAtUs[0]) <= hourMs / 3, "the schedule waits for its rate");
  const waiting = await client.event(again.eventId);
  assert.ok(dueInMs(waiting.nextAtUs) <= 0.7 * hourMs, "the event waits for its backoff");
  await client.invoke("nap", { event: '{"ms":0}' });
  const over = async (): Promise<true | undefined> =>
    (await client.getSandbox(brief.id)).state === "ended" ? true : undefined;
  await poll("see the sandbox end", over, { timeoutMs });
});

function dueInMs(atUs = 0): number {
  return atUs / 1000 - Date.now();
}

async function lastRecord(client: Client): Promise<{ queuedAtUs: number }> {
  await client.invoke("nap", { event: '{"ms":0}' });
  const [last] = (await client.invocations({ limit: 1 })).items;
  assert.ok(last !== undefined);
  return last;
}
