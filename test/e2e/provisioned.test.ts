import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { nowUs } from "../../runtime/clock.ts";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { problemOf } from "../support/problem.ts";
import { sandboxesOf } from "../support/sandboxes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { ready, stocked } from "../support/stock.ts";
import { tempDir } from "../support/temp-dir.ts";

const hello: FunctionSpecInput = {
  runtime: "node",
  code: { source: "export const handler = () => 1;" },
};
const yearly = "0 0 1 1 *";

test("the stock of a function follows what its schedules provision, and a call finds it loaded", async () => {
  await using server = await startTestServer({ overrides: { poolMax: 4 } });
  const { client } = server;
  await client.deploy("f", hello);
  const up = { function: "f", expression: "rate(1 second)", provisioned: 2 };
  const made = await client.putSchedule("up", up);
  assert.deepEqual([made.provisioned, made.missedRuns, made.event], [2, "run-once", undefined]);
  await stocked(server, 2, "f:1 provisioned");
  await client.pauseSchedule("up");
  const { last } = await client.getSchedule("up");
  assert.deepEqual([last?.status, last?.eventId], ["accepted", undefined]);
  assert.deepEqual((await client.getFunction("f")).functionConcurrency, { provisioned: 2 });
  assert.equal((await client.invoke("f")).start, "pooled");
  const before = sandboxesOf(server.config.stateDir);
  await client.putSchedule("down", { ...up, provisioned: 1 });
  await stockIs(server, 1);
  assert.equal((await client.events()).items.length, 0);
  const kept = sandboxesOf(server.config.stateDir).filter((id) => before.includes(id));
  assert.ok(kept.length > 0, "those that are wanted still were put away");
  await client.putSchedule("down", { ...up, provisioned: 0 });
  await stockIs(server, undefined);
  await client.pauseSchedule("down");
});

test("what is provisioned by hand counts in the place of what the versions say, until it is unset", async () => {
  await using server = await startTestServer({ overrides: { poolMax: 4 } });
  const { client } = server;
  await client.deploy("f", { ...hello, provisioned: 1 });
  await stocked(server, 1, "f:1 provisioned");
  await client.setConcurrency("f", { provisioned: 2 });
  await stocked(server, 2, "f:1 provisioned");
  await client.deploy("f", { ...hello, provisioned: 1, env: { NEW: "1" } });
  await stocked(server, 2, "f:2 provisioned");
  await client.removeConcurrency("f");
  await stockIs(server, 1, "f:2 provisioned");
});

test("a change that came due while the server was down is made at its start, and the latest one counts", async () => {
  await using dir = await tempDir();
  const env = { RUNLET_POOL_MAX: "4" };
  let dueUs = 0;
  {
    await using server = await startChildServer({ directory: dir.path, env });
    const { client } = server;
    await client.deploy("f", hello);
    await client.setConcurrency("f", { provisioned: 3 });
    const rate = { function: "f", expression: "rate(2 seconds)" };
    const first = await client.putSchedule("first", { ...rate, provisioned: 2 });
    const later = await client.putSchedule("later", { ...rate, provisioned: 1 });
    dueUs = later.nextAtUs[0] ?? 0;
    assert.ok((first.nextAtUs[0] ?? 0) < dueUs);
    server.kill("SIGKILL");
    await server.ended();
  }
  const passed = (): true | undefined => nowUs() > dueUs || undefined;
  await poll("see both due times pass", passed, { timeoutMs: 10_000 });
  await using server = await startChildServer({ directory: dir.path, env });
  const provisioned = await poll(
    "see the change made",
    async () => {
      const { provisioned: count } = await server.client.concurrency("f");
      return count === 3 ? undefined : count;
    },
    { timeoutMs: 20_000 },
  );
  assert.ok(provisioned === 1 || provisioned === 2);
  for (const name of ["first", "later"]) {
    const { last, lastMissed } = await server.client.getSchedule(name);
    assert.equal(last?.status, "accepted", name);
    assert.ok((lastMissed?.count ?? 0) >= 1, name);
  }
});

test("a schedule that provisions is not run now", async () => {
  await using server = await startTestServer();
  const { client } = server;
  await client.deploy("f", hello);
  await client.putSchedule("up", { function: "f", expression: yearly, provisioned: 1 });
  const { code, detail } = await problemOf(client.runSchedule("up"));
  assert.equal(code, "failed_precondition");
  assert.match(detail, /schedule up: it queues no event\. .*\/v1\/functions\/f\/concurrency$/);
  const replaced = await client.putSchedule("up", { function: "f", expression: yearly });
  assert.deepEqual([replaced.provisioned, replaced.event], [undefined, {}]);
});

/** Waits until a stock has as many as it should, or is gone. */
async function stockIs(
  server: TestServer,
  count: number | undefined,
  name = "f:1 provisioned",
): Promise<void> {
  const probe = async (): Promise<true | undefined> =>
    (await ready(server)).get(name) === count || undefined;
  await poll(`see ${count} in the stock ${name}`, probe, { timeoutMs: 60_000 });
}
