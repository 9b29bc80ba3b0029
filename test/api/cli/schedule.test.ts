import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ScheduleDetail } from "../../../api/schema/schedule.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";
import { type Ended, runlet } from "./runlet.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
  await server.client.deploy("f", { runtime: "command", command: ["cat"] });
});
after(async () => await server[Symbol.asyncDispose]());

test("schedule without any says so", async () => {
  const { exitCode, stdout, stderr } = await schedule();
  assert.deepEqual([exitCode, stdout, stderr], [0, "", "No such schedules.\n"]);
});

test("schedule set, list, show, pause, resume, run and delete do what they say", async () => {
  const time = [
    "--cron",
    "30 2 * * *",
    "--time-zone",
    "Europe/Berlin",
    "--missed-runs",
    "run-once",
  ];
  const event = ["--event", '{"a": 1}'];
  const made = await schedule("set", "nightly", "--function", "f", ...time, ...event);
  assert.equal(made.stderr, "");
  assert.match(made.stdout, /^Schedule nightly: active; next \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, /);
  const shown = JSON.parse((await schedule("show", "nightly")).stdout) as ScheduleDetail;
  assert.deepEqual(
    [shown.function, shown.expression, shown.timeZone, shown.event, shown.missedRuns],
    ["f", "30 2 * * *", "Europe/Berlin", { a: 1 }, "run-once"],
  );
  const listed = await schedule();
  assert.match(listed.stdout, /^NAME +FUNCTION +EXPRESSION +TIME ZONE +STATE +NEXT +LAST\n/);
  assert.match(listed.stdout, /\nnightly +f +30 2 \* \* \* +Europe\/Berlin +active +\d{4}-.* -\n/);
  assert.equal((await schedule("pause", "nightly")).stdout, "Schedule nightly: paused; next -\n");
  assert.match((await schedule("resume", "nightly")).stdout, /^Schedule nightly: active; next \d/);
  assert.match(
    (await schedule("run", "nightly")).stdout,
    /^Schedule nightly: event [0-9a-f-]{36}\n$/,
  );
  assert.equal((await schedule("rm", "nightly")).stdout, "Deleted nightly\n");
  assert.equal((await schedule("ls", "--json")).stdout, '{\n  "items": []\n}\n');
});

test("schedule set takes a rate and an event of another type", async () => {
  const args = ["--function", "f", "--rate", "5 minutes", "--type", "text/plain", "--event", "hi"];
  const made = await schedule("set", "beat", ...args, "--json");
  const { expression, event } = JSON.parse(made.stdout) as ScheduleDetail;
  assert.deepEqual([expression, event], ["rate(5 minutes)", "hi"]);
});

test("schedule set takes what a function is provisioned with, in the place of an event", async () => {
  await server.client.deploy("warm", {
    runtime: "node",
    code: { source: "export const handler = () => 1;" },
  });
  const args = ["--function", "warm", "--cron", "0 0 1 1 *", "--provisioned", "4"];
  const made = await schedule("set", "up", ...args, "--json");
  const { provisioned, missedRuns, event } = JSON.parse(made.stdout) as ScheduleDetail;
  assert.deepEqual([provisioned, missedRuns, event], [4, "run-once", undefined]);
});

test("schedule set and rm with --if-match change only the revision that it names", async () => {
  const set = ["set", "held", "--function", "f", "--rate"];
  const made = await schedule(...set, "1 hour", "--json");
  const { revisionId } = JSON.parse(made.stdout) as ScheduleDetail;
  assert.equal((await schedule(...set, "2 hours", "--if-match", revisionId)).exitCode, 0);
  for (const args of [
    [...set, "3 hours"],
    ["rm", "held"],
  ]) {
    const { exitCode, stderr } = await schedule(...args, "--if-match", revisionId);
    assert.equal(exitCode, 1);
    assert.match(stderr, /\(condition_not_met\)/);
  }
  const shown = JSON.parse((await schedule("show", "held")).stdout) as ScheduleDetail;
  assert.equal(shown.expression, "rate(2 hours)");
  const removed = await schedule("rm", "held", "--if-match", shown.revisionId);
  assert.equal(removed.stdout, "Deleted held\n");
});

for (const { what, args, said } of [
  {
    what: "an event and a stock",
    args: ["--rate", "1 hour", "--provisioned", "1", "--event", "{}"],
    said: /'--provisioned <n>' cannot be used with option '--event/,
  },
  { what: "no time", args: [], said: /expected --cron or --rate/ },
  {
    what: "two times",
    args: ["--cron", "* * * * *", "--rate", "1 hour"],
    said: /'--rate <rate>' cannot be used with option '--cron/,
  },
  {
    what: "an event that is no JSON",
    args: ["--rate", "1 hour", "--event", "{"],
    said: /expected JSON as --event/,
  },
]) {
  test(`schedule set with ${what} is a wrong command line`, async () => {
    const { exitCode, stderr } = await schedule("set", "s", "--function", "f", ...args);
    assert.equal(exitCode, 2);
    assert.match(stderr, said);
  });
}

test("schedule set tells which field is wrong and ends with 1", async () => {
  const { exitCode, stderr } = await schedule(
    "set",
    "s",
    "--function",
    "f",
    "--cron",
    "0 25 * * *",
  );
  assert.equal(exitCode, 1);
  assert.match(stderr, /expression: its hour "25"/);
});

async function schedule(...args: string[]): Promise<Ended> {
  return await runlet(["schedule", ...args], { url: server.url });
}
