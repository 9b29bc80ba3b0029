import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import type { Invocation } from "../../api/schema/invocation.ts";
import type { ScheduleDetail, ScheduleSpecInput } from "../../api/schema/schedule.ts";
import { nowUs } from "../../runtime/clock.ts";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { problemOf } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
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
  const { last } = await lastSettled("each");
  assert.equal(last?.status, "succeeded");
  assert.ok((last?.dueAtUs ?? Infinity) <= nowUs());
  await client.removeSchedule("each");
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
    revision: 1,
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
  assert.equal(other.revision, 2);
  assert.equal(other.createdAtUs, first.createdAtUs);
  assert.deepEqual(other.nextAtUs, first.nextAtUs);
  const [, sooner] = await putChanging({ ...spec, expression: "rate(1 hour)" });
  assert.ok((sooner.nextAtUs[0] ?? Infinity) < (first.nextAtUs[0] ?? 0));
});

test("a paused schedule has no due times, stays paused when it is replaced, and comes due after a resume", async () => {
  await client.putSchedule("resting", yearly);
  const paused = await client.pauseSchedule("resting");
  assert.deepEqual([paused.state, paused.nextAtUs, paused.revision], ["paused", [], 2]);
  assert.equal((await client.pauseSchedule("resting")).revision, 2);
  const replaced = await client.putSchedule("resting", { ...yearly, expression: "rate(1 second)" });
  assert.deepEqual([replaced.state, replaced.nextAtUs], ["paused", []]);
  await client.putSchedule("resting", yearly);
  const resumed = await client.resumeSchedule("resting");
  assert.deepEqual([resumed.state, resumed.nextAtUs.length], ["active", 3]);
});

test("a schedule that is run now runs once more and keeps its due times, also while it is paused", async () => {
  await client.deploy("text", echo);
  const spec = { ...yearly, function: "text", event: "plain", contentType: "text/plain" };
  const { nextAtUs } = await client.putSchedule("now", spec);
  assert.equal((await client.runSchedule("now")).last?.status, "running");
  const [run] = await invoked("text", 1);
  assert.equal((await client.invocation(run?.id ?? "")).stdout, "plain");
  assert.deepEqual((await lastSettled("now")).nextAtUs, nextAtUs);
  await client.pauseSchedule("now");
  await client.runSchedule("now");
  await invoked("text", 2);
});

test("a run that fails is shown with its reason", async () => {
  await client.deploy("fail", { runtime: "command", command: ["false"] });
  await client.putSchedule("failing", { ...yearly, function: "fail" });
  await client.runSchedule("failing");
  const { last } = await lastSettled("failing");
  assert.equal(last?.status, "failed");
  assert.match(last?.error ?? "", /exited with code 1/);
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

test("a run that the server is killed in is shown as failed, is not repeated, and missed due times are told", async () => {
  await using dir = await tempDir();
  {
    await using killed = await startChildServer({ directory: dir.path });
    await killed.client.deploy("long", { runtime: "command", command: ["sleep", "600"] });
    await killed.client.putSchedule("cut", { ...yearly, function: "long" });
    await killed.client.runSchedule("cut");
    await killed.client.deploy("echo", echo);
    for (const missedRuns of ["skip", "run-once"] as const) {
      const spec = { function: "echo", expression: "rate(1 second)", missedRuns };
      await killed.client.putSchedule(missedRuns, spec);
    }
    await runningInvocation(killed.client, "long");
    killed.kill("SIGKILL");
    await killed.ended();
  }
  await using again = await startChildServer({ directory: dir.path });
  const { last } = await again.client.getSchedule("cut");
  assert.equal(last?.status, "failed");
  assert.match(last?.error ?? "", /the server ended before it/);
  const runs = (await again.client.invocations({ function: "long" })).items;
  assert.deepEqual(
    runs.map(({ status }) => status),
    ["lost"],
  );
  for (const name of ["skip", "run-once"]) {
    const { lastMissed } = await again.client.getSchedule(name);
    assert.ok((lastMissed?.count ?? 0) >= 1, name);
  }
});

test("a server that shuts down gives up a scheduled run in its time and says so", async () => {
  await using dir = await tempDir();
  {
    const env = { RUNLET_SHUTDOWN_TIMEOUT_MS: "200" };
    await using ending = await startChildServer({ directory: dir.path, env });
    await ending.client.deploy("long", { runtime: "command", command: ["sleep", "600"] });
    await ending.client.putSchedule("cut", { ...yearly, function: "long" });
    await ending.client.runSchedule("cut");
    await runningInvocation(ending.client, "long");
    ending.kill("SIGTERM");
    assert.deepEqual(await ending.ended(), { code: 0, signal: null });
  }
  await using again = await startChildServer({ directory: dir.path });
  const { last } = await again.client.getSchedule("cut");
  assert.equal(last?.status, "failed");
  assert.match(last?.error ?? "", /was cancelled/);
});

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

async function lastSettled(name: string): Promise<ScheduleDetail> {
  return await poll(
    `see the last run of ${name} end`,
    async () => {
      const schedule = await client.getSchedule(name);
      return schedule.last === undefined || schedule.last.status === "running"
        ? undefined
        : schedule;
    },
    { timeoutMs: 20_000 },
  );
}
