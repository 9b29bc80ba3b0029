import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { eventIdOf } from "../../api/domain/schedules/event-id.ts";
import type { Invocation } from "../../api/schema/invocation.ts";
import type { ScheduleDetail, ScheduleSpecInput } from "../../api/schema/schedule.ts";
import { nowUs } from "../../runtime/clock.ts";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { eventIn } from "../support/events.ts";
import { problemOf } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { openDatabase } from "../../store/database.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { tempDir } from "../support/temp-dir.ts";

const echo: FunctionSpecInput = { runtime: "command", command: ["cat"] };
const yearly = { expression: "0 0 1 1 *", function: "echo" };

let server: TestServer;
let client: Client;
before(async () => {
  server = await startTestServer();
  ({ client } = server);
  await client.deploy("echo", echo);
});
after(async () => await server[Symbol.asyncDispose]());

test("a schedule invokes its function with its event at each due time", async () => {
  await client.deploy("say", { runtime: "command", command: ["sh", "-c", "cat"] });
  const event = { name: "Ada" };
  await client.putSchedule("each", { function: "say", expression: "rate(1 second)", event });
  await invoked("say", 3);
  await client.pauseSchedule("each");
  const runs = await invoked("say", 3);
  const { stdout } = await client.invocation(runs[0]?.id ?? "");
  assert.deepEqual(JSON.parse(stdout), event);
  const gaps = runs.slice(1).map((run, index) => (runs[index]?.queuedAtUs ?? 0) - run.queuedAtUs);
  for (const gap of gaps) assert.ok(Math.abs(gap - 1_000_000) < 900_000, `${gap} us apart`);
  const { last } = await lastSettled(client, "each");
  assert.equal(last?.status, "accepted");
  assert.equal((await eventIn(client, last?.eventId ?? "", "succeeded")).source, "schedule:each");
  assert.ok((last?.dueAtUs ?? Infinity) <= nowUs());
  await client.removeSchedule("each");
});

test("a cron comes due at each second that it names, by the clock of its time zone", async () => {
  await client.deploy("tick", { runtime: "command", command: ["true"] });
  // Half an hour beside every hour of UTC.
  const timeZone = "Asia/Kolkata";
  const format = new Intl.DateTimeFormat("en", { timeZone, hour: "numeric", hourCycle: "h23" });
  const hour = Number(format.format());
  const expression = `* * ${hour},${(hour + 1) % 24} * * *`;
  await client.putSchedule("tick", { function: "tick", expression, timeZone });
  await invoked("tick", 2);
  const { last } = await lastSettled(client, "tick");
  assert.equal((last?.dueAtUs ?? 1) % 1_000_000, 0);
  await client.removeSchedule("tick");
});

test("what a schedule says is shown with its next three due times", async () => {
  const spec: ScheduleSpecInput = {
    function: "echo",
    qualifier: "1",
    expression: "30 2 * * *",
    timeZone: "Europe/Berlin",
    event: [1, "two"],
    missedRuns: "run-once",
  };
  const made = await client.putSchedule("shown", spec);
  const { nextAtUs, createdAtUs, updatedAtUs, ...rest } = made;
  assert.deepEqual(rest, {
    ...spec,
    name: "shown",
    contentType: "application/json",
    state: "active",
    revisionId: made.revisionId,
  });
  assert.equal(nextAtUs.length, 3);
  assert.equal(createdAtUs, updatedAtUs);
  for (const atUs of nextAtUs) {
    const time = new Intl.DateTimeFormat("de", { timeStyle: "short", timeZone: "Europe/Berlin" });
    assert.match(time.format(atUs / 1000), /^0[23]:[03]0$/);
  }
  assert.deepEqual(await client.getSchedule("shown"), made);
});

test("a put that changes nothing makes no revision, and one that does keeps the first time", async () => {
  const spec = { function: "echo", expression: "rate(7 hours)" };
  const [made, first] = await putChanging(spec);
  assert.equal(made, 201);
  assert.deepEqual(await putChanging(spec), [200, first]);
  const [replaced, other] = await putChanging({ ...spec, event: 1 });
  assert.equal(replaced, 200);
  assert.notEqual(other.revisionId, first.revisionId);
  assert.equal(other.createdAtUs, first.createdAtUs);
  assert.deepEqual(other.nextAtUs, first.nextAtUs);
  const [, sooner] = await putChanging({ ...spec, expression: "rate(1 hour)" });
  assert.ok((sooner.nextAtUs[0] ?? Infinity) < (first.nextAtUs[0] ?? 0));
});

test("a paused schedule has no due times, stays paused when it is replaced, and comes due after a resume", async () => {
  await client.putSchedule("resting", yearly);
  const paused = await client.pauseSchedule("resting");
  assert.deepEqual([paused.state, paused.nextAtUs], ["paused", []]);
  assert.deepEqual(await client.pauseSchedule("resting"), paused);
  const replaced = await client.putSchedule("resting", { ...yearly, expression: "rate(1 second)" });
  assert.deepEqual([replaced.state, replaced.nextAtUs], ["paused", []]);
  await client.putSchedule("resting", yearly);
  const resumed = await client.resumeSchedule("resting");
  assert.deepEqual([resumed.state, resumed.nextAtUs.length], ["active", 3]);
});

test("a schedule that is run now queues its event once more and keeps its due times, also while it is paused", async () => {
  await client.deploy("text", echo);
  const spec = { ...yearly, function: "text", event: "plain", contentType: "text/plain" };
  const { nextAtUs } = await client.putSchedule("now", spec);
  const response = await server.fetch("/v1/schedules/now/run", { method: "POST" });
  const { eventId } = (await response.json()) as { eventId: string };
  assert.deepEqual(
    [response.status, response.headers.get("location")],
    [202, `/v1/events/${eventId}`],
  );
  const { source, invocations } = await eventIn(client, eventId, "succeeded");
  assert.equal(source, "schedule:now");
  assert.equal((await client.invocation(invocations[0]?.invocationId ?? "")).stdout, "plain");
  const unchanged = await client.getSchedule("now");
  assert.deepEqual([unchanged.nextAtUs, unchanged.last], [nextAtUs, undefined]);
  await client.pauseSchedule("now");
  await eventIn(client, (await client.runSchedule("now")).eventId, "succeeded");
});

test("a due time whose event is refused is shown as failed with the reason", async () => {
  const event = "x".repeat(200 * 1024);
  await using small = await startTestServer({ overrides: { maxAsyncEventBytes: 1_000 } });
  await small.client.deploy("echo", echo);
  await small.client.putSchedule("large", {
    function: "echo",
    expression: "rate(1 second)",
    event,
  });
  const { last } = await lastSettled(small.client, "large");
  assert.equal(last?.status, "failed");
  assert.match(last?.error ?? "", /larger than 1000 bytes/);
});

test("a function that a schedule names is not deleted before the schedule", async () => {
  await client.deploy("needed", echo);
  await client.putSchedule("needing", { ...yearly, function: "needed" });
  const problem = await problemOf(client.removeFunction("needed"));
  assert.equal(problem.code, "failed_precondition");
  assert.match(problem.detail, /schedule needing would be left without it/);
  await client.removeSchedule("needing");
  await client.removeFunction("needed");
});

for (const qualifier of ["live", "1"]) {
  test(`what a schedule names of a function, ${qualifier}, is not deleted before the schedule`, async () => {
    const name = `named-${qualifier}`;
    await client.deploy(name, echo);
    await client.deploy(name, { ...echo, env: { A: "b" } });
    await client.createAlias(name, { name: "live", version: 2 });
    await client.putSchedule(name, { ...yearly, function: name, qualifier });
    const remove = async (): Promise<void> =>
      qualifier === "live"
        ? await client.removeAlias(name, "live")
        : await client.removeVersion(name, 1);
    const problem = await problemOf(remove());
    assert.equal(problem.code, "failed_precondition");
    assert.match(problem.detail, new RegExp(`schedule ${name} would be left without it`));
    await client.removeSchedule(name);
    await remove();
  });
}

test("a schedule is changed and deleted only at the revision expected", async () => {
  const spec = { ...yearly, event: 1 };
  const { revisionId } = await client.putSchedule("guarded", spec, { isNew: true });
  const response = await server.fetch("/v1/schedules/guarded");
  assert.equal(response.headers.get("etag"), `"${revisionId}"`);
  const { revisionId: paused } = await client.pauseSchedule("guarded");
  const stale = [
    client.putSchedule("guarded", spec, { isNew: true }),
    client.putSchedule("guarded", spec, { ifMatch: revisionId }),
    client.removeSchedule("guarded", { ifMatch: revisionId }),
    client.putSchedule("missing", spec, { ifMatch: revisionId }),
  ];
  for (const call of stale) assert.equal((await problemOf(call)).code, "condition_not_met");
  await client.removeSchedule("guarded", { ifMatch: paused });
});

test("schedules are listed by name, by page and by function, without their events", async () => {
  await client.deploy("listed", echo);
  for (const name of ["l2", "l1", "l3"]) {
    await client.putSchedule(name, { ...yearly, function: "listed" });
  }
  const first = await client.schedules({ function: "listed", limit: 2 });
  assert.deepEqual([first.items.map(({ name }) => name), first.next], [["l1", "l2"], "l2"]);
  assert.ok(first.items.every((item) => !("event" in item)));
  const rest = await client.schedules({ function: "listed", limit: 2, after: first.next });
  assert.deepEqual([rest.items.map(({ name }) => name), rest.next], [["l3"], undefined]);
  assert.ok((await client.schedules()).items.length > 3);
});

const lives = 3;
const names = ["skip", "once"];

test("a due time that was accepted before a SIGKILL runs after the restart, and one that was missed as the schedule says", async () => {
  await using dir = await tempDir();
  const rate = { expression: "rate(1 second)", function: "nap" };
  /** What was due next at each kill, and passed while no server was there. */
  const missed: DueTime[] = [];
  for (let life = 0; life < lives; life++) {
    await using killed = await startChildServer({ directory: dir.path });
    if (life === 0) {
      const async = { maxAttempts: 10 };
      await killed.client.deploy("nap", { runtime: "command", command: ["sleep", "0.5"], async });
      await killed.client.putSchedule("skip", rate);
      await killed.client.putSchedule("once", { ...rate, missedRuns: "run-once" });
    }
    const startedAtUs = nowUs();
    for (const name of names) await acceptedAfter(killed.client, name, startedAtUs);
    await runningInvocation(killed.client, "nap");
    const { nextAtUs } = await killed.client.getSchedule("once");
    killed.kill("SIGKILL");
    await killed.ended();
    missed.push(...dueTimesIn(killed.dataDir));
    const passed = (): true | undefined => nowUs() > (nextAtUs[1] ?? Infinity) || undefined;
    await poll("see due times pass", passed, { timeoutMs: 10_000 });
  }
  await using again = await startChildServer({ directory: dir.path });
  for (const name of names) await again.client.pauseSchedule(name);
  const events = await poll(
    "see all events end",
    async () => {
      const { items } = await again.client.events({ function: "nap", limit: 200 });
      return items.every(({ state }) => state === "succeeded") ? items : undefined;
    },
    { timeoutMs: 150_000 },
  );
  for (const name of names) {
    const { createdAtUs, last, lastMissed } = await again.client.getSchedule(name);
    assert.ok((lastMissed?.count ?? 0) >= 1, `${name} missed nothing`);
    assert.equal(last?.status, "accepted");
    const mine = events.filter(({ source }) => source === `schedule:${name}`).map(({ id }) => id);
    const dueTimes = Array.from(
      { length: 300 },
      (_, index) => createdAtUs + (index + 1) * 1_000_000,
    );
    const expected = new Set(dueTimes.map((dueAtUs) => eventIdOf(name, dueAtUs)));
    assert.ok(
      mine.every((id) => expected.has(id)),
      `${name} has an event of no due time`,
    );
    assert.ok(mine.includes(last?.eventId ?? ""));
    assert.ok(mine.length >= lives);
  }
  for (const { name, nextAtUs } of missed) {
    const hasRun = events.some(({ id }) => id === eventIdOf(name, nextAtUs));
    assert.equal(hasRun, name === "once", `${name} at ${nextAtUs}`);
  }
  assert.equal(missed.length, lives * names.length);
  assert.ok(
    events.some(({ attempts }) => attempts > 1),
    "no event was running at any of the kills",
  );
});

interface DueTime {
  readonly name: string;
  readonly nextAtUs: number;
}

/** When the schedules of a server that is dead come due next. */
function dueTimesIn(dataDir: string): DueTime[] {
  using record = openDatabase(join(dataDir, "runlet.db"));
  const sql = "SELECT name, next_at_us AS nextAtUs FROM schedules";
  return record.connection.prepare<[], DueTime>(sql).all();
}

async function putChanging(body: object): Promise<[number, ScheduleDetail]> {
  const response = await server.fetch("/v1/schedules/changing", {
    method: "PUT",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  return [response.status, (await response.json()) as ScheduleDetail];
}

/** Waits for `count` ended invocations of a function and answers them, newest first. */
async function invoked(name: string, count: number): Promise<Invocation[]> {
  return await poll(
    `see ${count} invocations of ${name}`,
    async () => {
      const { items } = await client.invocations({ function: name });
      const ended = items.filter(({ status }) => status !== "running");
      return ended.length >= count ? ended : undefined;
    },
    { timeoutMs: 30_000 },
  );
}

async function acceptedAfter(from: Client, name: string, afterUs: number): Promise<void> {
  await poll(
    `see a due time of ${name} accepted`,
    async () => {
      const { last } = await from.getSchedule(name);
      return last?.status === "accepted" && last.dueAtUs > afterUs ? last : undefined;
    },
    { timeoutMs: 20_000 },
  );
}

async function lastSettled(from: Client, name: string): Promise<ScheduleDetail> {
  return await poll(
    `see a due time of ${name} handed over`,
    async () => {
      const schedule = await from.getSchedule(name);
      return (schedule.last?.status ?? "accepting") === "accepting" ? undefined : schedule;
    },
    { timeoutMs: 20_000 },
  );
}
