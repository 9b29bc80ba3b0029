import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { RunscError, runscFailures } from "../../runtime/runsc/error.ts";
import { call } from "../support/call.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const dashboard = join(import.meta.dirname, "../../deploy/grafana-dashboard.json");

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

/** The name of a metric as its series are named after it. */
const base = (name: string): string => name.replace(/_(bucket|sum|count)$/, "");

const metrics = async (): Promise<string> => await (await server.fetch("/metrics")).text();

test("metrics tell of outcomes, of who was turned away, of attempts at events, and of the record", async () => {
  const source = "export const handler = async (fail) => { if (fail) throw new Error('no'); };";
  const rateLimit = { perSecond: 0.01, burst: 2 };
  const { client } = server;
  const spec = { runtime: "node", isolation: "reuse", code: { source } } as const;
  await client.deploy("limited", { ...spec, rateLimit });
  for (let n = 0; n < 3; n++) await call(server, "limited");
  await client.deploy("failing", { ...spec, async: { maxAttempts: 1 } });
  await client.invokeAsync("failing", { event: "true" });
  const page = await poll(
    "see the event end",
    async () => {
      const text = await metrics();
      return /^runlet_event_attempts_total\{kind="invoke",outcome="dead"\} 1$/m.test(text)
        ? text
        : undefined;
    },
    { timeoutMs: 30_000 },
  );
  assert.match(page, /^runlet_throttled_total\{reason="rate"\} 1$/m);
  assert.match(page, /^runlet_invocations_total\{.*status="failed".*\} 3$/m);
  const failures = new Set(
    [...page.matchAll(/status="failed",reason="(\w+)"/g)].map(([, why]) => why),
  );
  assert.deepEqual([...failures], ["function_error"]);
  assert.match(page, /^runlet_store_commit_seconds_count [1-9]\d*$/m);
  assert.ok(Number(/^runlet_store_bytes (\d+)$/m.exec(page)?.[1]) > 4096);
});

const ends = [
  { command: ["true"], status: "succeeded", reason: "none" },
  { command: ["false"], status: "failed", reason: "exited" },
  { command: ["sh", "-c", "kill -SEGV $$"], status: "failed", reason: "signaled" },
  { command: ["sleep", "60"], status: "timed_out", reason: "timeout" },
];

for (const { command, status, reason } of ends) {
  test(`an invocation of ${command.join(" ")} counts as ${status} for the reason ${reason}`, async () => {
    await server.client.deploy("ends", { runtime: "command", command, timeoutMs: 1000 });
    await call(server, "ends");
    const counted = `runtime="command",status="${status}",reason="${reason}"`;
    assert.match(
      await metrics(),
      new RegExp(`^runlet_invocations_total\\{.*${counted}.*\\} 1$`, "m"),
    );
  });
}

test("metrics tell of the server's own memory, files and event loop", async () => {
  const page = await metrics();
  for (const name of [
    "process_resident_memory_bytes",
    "process_open_fds",
    "nodejs_heap_size_used_bytes",
    "nodejs_eventloop_lag_p99_seconds",
  ]) {
    assert.ok(Number(new RegExp(`^${name} ([\\d.e-]+)$`, "m").exec(page)?.[1]) > 0, name);
  }
});

test("what runsc fails at is counted by its subcommand, and a container that is gone is no failure", async () => {
  const sofar = runscFailures.get("pause") ?? 0;
  assert.ok(new RunscError("pause", "it would not") instanceof Error);
  assert.ok(new RunscError("pause", "container does not exist") instanceof Error);
  assert.equal(runscFailures.get("pause"), sofar + 1);
  assert.match(
    await metrics(),
    new RegExp(`^runlet_runsc_errors_total\\{command="pause"\\} ${sofar + 1}$`, "m"),
  );
});

test("every metric that the dashboard names is there, and each is on the dashboard", async () => {
  const board = await readFile(dashboard, "utf8");
  const page = await metrics();
  const there = [...page.matchAll(/^# TYPE (runlet_\w+) (\w+)$/gm)].flatMap(([, name = "", type]) =>
    type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  const { panels } = JSON.parse(board) as { panels: { targets: { expr: string }[] }[] };
  const exprs = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const named = new Set(exprs.flatMap((expr) => expr.match(/runlet_\w+/g) ?? []));
  assert.deepEqual(
    [...named].filter((name) => !there.includes(name)),
    [],
  );
  const foreign = exprs.flatMap((expr) => expr.match(/\b(?:process|nodejs)_\w+/g) ?? []);
  assert.deepEqual(
    foreign.filter((name) => !page.includes(`\n# TYPE ${name} `)),
    [],
  );
  const shown = new Set([...named].map(base));
  assert.deepEqual(
    [...new Set(there.map(base))].filter((name) => !shown.has(name)),
    [],
  );
});
