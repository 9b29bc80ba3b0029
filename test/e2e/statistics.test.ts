import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { functionStatistics } from "../../api/schema/statistics.ts";
import { problemOf } from "../support/problem.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
  const { client } = server;
  const command = ["sh", "-c", "exit $(cat)"];
  await client.deploy("f", { runtime: "command", command });
  await client.deploy("idle", { runtime: "command", command });
  for (let left = 3; left > 0; left--) await client.invoke("f", { event: "0" });
  await problemOf(client.invoke("f", { event: "1" }));
});
after(async () => await server[Symbol.asyncDispose]());

test("a function's statistics are what its invocations of the window come to", async () => {
  const statistics = await server.client.statistics("f");
  assert.deepEqual(functionStatistics.parse(statistics), statistics);
  const { count, sampled, windowMs, errors, starts, runUs, totalUs } = statistics;
  assert.deepEqual([count, sampled, windowMs], [4, false, 3_600_000]);
  assert.deepEqual(errors, { failed: 1, timed_out: 0, cancelled: 0, lost: 0 });
  assert.deepEqual(starts, { cold: 1, pooled: 0, warm: 0 });
  const { items } = await server.client.invocations({ function: "f" });
  const runs = items.map((item) => item.runUs ?? 0).sort((a, b) => a - b);
  assert.deepEqual(runUs, { p50: runs[1], p95: runs[3], p99: runs[3] });
  assert.ok((totalUs.p50 ?? 0) >= (runUs.p50 ?? 0));
});

test("a function without invocations in the window has no times", async () => {
  const { count, runUs, starts } = await server.client.statistics("idle", 1);
  assert.deepEqual([count, runUs, starts], [0, {}, { cold: 0, pooled: 0, warm: 0 }]);
});

test("an unknown function and a window over 7 days are refused", async () => {
  assert.equal((await problemOf(server.client.statistics("nobody"))).code, "not_found");
  const tooLong = 7 * 86_400_000 + 1;
  assert.equal((await problemOf(server.client.statistics("f", tooLong))).code, "invalid_argument");
});
