import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { functionStatistics } from "../../api/schema/statistics.ts";
import { openDatabase } from "../../store/database.ts";
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
  const { count, sampled, sampleCount, windowMs, errors, starts, runUs, totalUs } = statistics;
  assert.deepEqual([count, sampled, sampleCount, windowMs], [4, false, 4, 3_600_000]);
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

test("of more invocations than times are taken from, all are counted in their window", async () => {
  await server.client.deploy("busy", { runtime: "command", command: ["true"] });
  using record = openDatabase(join(server.config.dataDir, "runlet.db"));
  // From now on backwards, one each 100 ms, the older ones slower: 2,400 of them are four minutes.
  record.connection.prepare(manyInvocations).run({ count: 6_000, nowMs: Date.now() });
  const hour = await server.client.statistics("busy");
  assert.deepEqual([hour.count, hour.sampled, hour.sampleCount], [6_000, true, 3_000]);
  assert.deepEqual(hour.errors, { failed: 600, timed_out: 0, cancelled: 0, lost: 0 });
  assert.deepEqual(hour.starts, { cold: 0.25, pooled: 0.75, warm: 0 });
  assert.deepEqual(hour.runUs, { p50: 1_500, p95: 2_850, p99: 2_970 });
  const recent = await server.client.statistics("busy", 240_000);
  assert.ok(recent.count >= 2_400 && recent.count <= 3_000, `${recent.count} in four minutes`);
  assert.deepEqual([recent.sampled, recent.sampleCount], [false, recent.count]);
  assert.equal(recent.sinceUs % 60_000_000, 0);
});

const manyInvocations = `
  WITH RECURSIVE place(i, at_ms) AS (
    SELECT 1, CAST(@nowMs AS INTEGER)
    UNION ALL SELECT i + 1, at_ms - 100 FROM place WHERE i < @count
  )
  INSERT INTO invocations (id, kind, function_name, status, start_kind, queued_at_us, run_us,
    stdout_bytes, stdout_truncated, stderr_bytes, stderr_truncated)
  SELECT printf('%08x-%04x-7000-8000-000000000000', at_ms >> 16, at_ms & 65535), 'invoke', 'busy',
    iif(i % 10 = 0, 'failed', 'succeeded'), iif(i % 4 = 0, 'cold', 'pooled'), at_ms * 1000, i,
    0, 0, 0, 0
  FROM place`;

test("an unknown function and a window over 7 days are refused", async () => {
  assert.equal((await problemOf(server.client.statistics("nobody"))).code, "not_found");
  const tooLong = 7 * 86_400_000 + 1;
  assert.equal((await problemOf(server.client.statistics("f", tooLong))).code, "invalid_argument");
});
