import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import type { Invocation } from "../../api/schema/invocation.ts";
import { amount } from "../support/amount.ts";
import { call } from "../support/call.ts";
import { problemIn } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { nothingLeft, watchSandboxes } from "../support/sandboxes.ts";
import { startTestServer } from "../support/server.ts";

const invocations = amount({ short: 20, long: 50 });

test(`${invocations} invocations at a limit of 4 never run more than 4 containers`, async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 4 } });
  const { client, config } = server;
  await client.deploy("nap", { runtime: "command", command: ["sleep", "0.2"] });
  await client.deploy("node", {
    runtime: "node",
    code: { source: "export const handler = () => 1;" },
  });
  await nothingLeft(config.stateDir);
  using watch = watchSandboxes(config.stateDir, 20);
  const names = Array.from({ length: invocations }, (_, index) =>
    index % 5 === 0 ? "node" : "nap",
  );
  const answers = await Promise.all(names.map(async (name) => await client.invoke(name)));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  await nothingLeft(config.stateDir);

  const { items } = await client.invocations({ limit: 200 });
  assert.equal(items.length, invocations);
  const most = mostAtOnce(items);
  assert.ok(most <= 4, `by the record, ${most} ran at once`);
  assert.ok(most >= 2, "by the record, none ran beside another");
  assert.ok(watch.most <= 4, `by the host's processes, ${watch.most} ran at once`);
  assert.ok(watch.most >= 1, "the host's processes were looked at in vain");
});

test("a call that finds the queue full is refused at once, and one that waits too long later", async () => {
  const overrides = { maxConcurrency: 1, queueLimit: 1, queueTimeoutMs: 500 };
  await using server = await startTestServer({ overrides });
  await server.client.deploy("busy", { runtime: "command", command: ["sleep", "600"] });
  const busy = call(server, "busy");
  const { id } = await runningInvocation(server.client, "busy");

  const refused = await Promise.all([call(server, "busy"), call(server, "busy")]);
  const problems = await Promise.all(refused.map(problemIn));
  assert.deepEqual(
    problems.map(({ status, code }) => [status, code]),
    Array.from({ length: 2 }, () => [429, "resource_exhausted"]),
  );
  const details = problems.map(({ detail }) => detail).sort();
  assert.match(details[0] ?? "", /1 invocations are waiting already/);
  assert.match(details[1] ?? "", /no container slot became free within 500 ms/);
  for (const response of refused) assert.match(response.headers.get("retry-after") ?? "", /^\d+$/);
  assert.equal((await server.client.invocations()).items.length, 1, "what never ran has no record");

  await server.client.cancel(id);
  assert.equal((await busy).status, 499);
});

test("a flood on one function delays another by its turn alone", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 1 } });
  const nap: FunctionSpecInput = { runtime: "command", command: ["sleep", "0.1"] };
  for (const name of ["flood", "quiet"]) await server.client.deploy(name, nap);
  const flood = Array.from({ length: 10 }, async () => await server.client.invoke("flood"));
  await runningInvocation(server.client, "flood");
  await server.client.invoke("quiet");
  await Promise.all(flood);
  const { items } = await server.client.invocations({ limit: 200 });
  const [quiet] = items.filter(({ functionName }) => functionName === "quiet");
  const { queuedAtUs = 0, startedAtUs = 0 } = quiet ?? {};
  const isBetween = (atUs = 0): boolean => atUs > queuedAtUs && atUs < startedAtUs;
  const ahead = items.filter((item) => isBetween(item.startedAtUs)).length;
  assert.ok(ahead <= 1, `${ahead} of the flood went ahead of it`);
});

test("a call that waits runs as soon as there is room, and its record tells how long it waited", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 1 } });
  await server.client.deploy("nap", { runtime: "command", command: ["sleep", "0.5"] });
  const [first, second] = await Promise.all([
    server.client.invoke("nap"),
    server.client.invoke("nap"),
  ]);
  const records = await Promise.all(
    [first, second].map(async ({ invocationId }) => await server.client.invocation(invocationId)),
  );
  const waits = records.map(({ queueUs = 0 }) => queueUs).sort((a, b) => a - b);
  assert.ok((waits[1] ?? 0) >= 500_000, `the second waited ${waits[1]} us`);
});

test("a caller that gives up while it waits leaves no record and takes no room", async () => {
  await using server = await startTestServer({ overrides: { maxConcurrency: 1 } });
  await server.client.deploy("busy", { runtime: "command", command: ["sleep", "600"] });
  await server.client.deploy("true", { runtime: "command", command: ["true"] });
  const busy = call(server, "busy");
  const { id } = await runningInvocation(server.client, "busy");
  await assert.rejects(call(server, "true", { signal: AbortSignal.timeout(300) }));
  await server.client.cancel(id);
  await busy;
  assert.equal((await call(server, "true")).status, 200);
  assert.equal((await server.client.invocations({ function: "true" })).items.length, 1);
});

/** The most containers that were between their start and their exit at the same moment. */
function mostAtOnce(records: readonly Invocation[]): number {
  const moments = records.flatMap(({ id, startedAtUs, exitedAtUs }) => {
    assert.ok(startedAtUs !== undefined && exitedAtUs !== undefined, `${id} has no times`);
    assert.ok(startedAtUs <= exitedAtUs);
    return [
      { atUs: startedAtUs, change: 1 },
      { atUs: exitedAtUs, change: -1 },
    ];
  });
  let now = 0;
  let most = 0;
  for (const { change } of moments.sort((a, b) => a.atUs - b.atUs || a.change - b.change)) {
    now += change;
    most = Math.max(most, now);
  }
  return most;
}
