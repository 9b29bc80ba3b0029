import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { poll } from "../../runtime/deadline.ts";
import { call } from "../support/call.ts";
import { problemIn, problemOf } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { nothingLeft } from "../support/sandboxes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

const endless: { runtime: string; spec: FunctionSpecInput }[] = [
  {
    runtime: "node",
    spec: {
      runtime: "node",
      code: {
        source: "export const handler = async () => { console.log('on'); for (;;); };",
      },
    },
  },
  {
    runtime: "python",
    spec: {
      runtime: "python",
      code: {
        source: "def handler(event, context):\n    print('on', flush=True)\n    while True: pass",
      },
    },
  },
  {
    runtime: "command",
    spec: { runtime: "command", command: ["/bin/sh", "-c", "echo on; exec sleep 600"] },
  },
];

for (const { runtime, spec } of endless) {
  test(`a running ${runtime} function can be cancelled: its caller and its record are told`, async () => {
    const name = `endless-${runtime}`;
    await server.client.deploy(name, { ...spec, timeoutMs: 60_000 });
    const called = call(server, name);
    const { id } = await runningInvocation(server.client, name);
    const cancelled = await server.client.cancel(id);
    assert.equal(cancelled.status, "cancelled");
    const problem = await problemIn(await called);
    assert.equal(problem.status, 499);
    assert.equal(problem.code, "cancelled");
    assert.equal(problem.invocationId, id);
    const record = await server.client.invocation(id);
    assert.equal(record.status, "cancelled");
    assert.equal(record.error?.code, "cancelled");
    assert.ok(record.finishedAtUs);
    await nothingLeft(server.config.stateDir);
  });

  test(`a caller of a ${runtime} function that goes away cancels it`, async () => {
    const name = `left-${runtime}`;
    await server.client.deploy(name, { ...spec, timeoutMs: 60_000 });
    const caller = new AbortController();
    const called = call(server, name, { signal: caller.signal });
    const { id } = await runningInvocation(server.client, name);
    caller.abort();
    await assert.rejects(called, { name: "AbortError" });
    const status = await poll(
      "see it end",
      async () => {
        const now = (await server.client.invocation(id)).status;
        return now === "running" ? undefined : now;
      },
      { timeoutMs: 20_000 },
    );
    assert.equal(status, "cancelled");
    await nothingLeft(server.config.stateDir);
  });
}

test("a running execution can be cancelled", async () => {
  const executed = server.client.execute({ runtime: "bash", code: { source: "sleep 600" } });
  const refused = problemOf(executed);
  const { id } = await poll(
    "see it run",
    async () => (await server.client.invocations({ kind: "execute", status: "running" })).items[0],
    { timeoutMs: 20_000 },
  );
  await server.client.cancel(id);
  const problem = await refused;
  assert.equal(problem.code, "cancelled");
  assert.equal((await server.client.invocation(id)).status, "cancelled");
  await nothingLeft(server.config.stateDir);
});

test("an invocation that has ended cannot be cancelled", async () => {
  await server.client.deploy("true", { runtime: "command", command: ["true"] });
  const { invocationId } = await server.client.invoke("true");
  const problem = await problemOf(server.client.cancel(invocationId));
  assert.equal(problem.status, 409);
  assert.equal(problem.code, "failed_precondition");
  assert.match(problem.detail, /succeeded already/);
});
