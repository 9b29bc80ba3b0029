import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call } from "../support/call.ts";
import { problemIn } from "../support/problem.ts";
import { endedInvocation } from "../support/running.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
});
after(async () => await server[Symbol.asyncDispose]());

async function deploy(source: string): Promise<void> {
  await server.client.deploy("f", { runtime: "node", code: { source } });
}

test("what a handler throws is told with name, message and stack, and is on record", async () => {
  await deploy(`class TeapotError extends Error { name = "TeapotError"; }
function deep() { throw new TeapotError("short and stout"); }
export const handler = () => deep();`);
  const response = await call(server, "f");
  const problem = await problemIn(response);
  assert.equal(problem.status, 502);
  assert.equal(problem.code, "function_error");
  assert.equal(problem.functionError?.name, "TeapotError");
  assert.equal(problem.functionError.message, "short and stout");
  assert.match(problem.functionError.stack ?? "", /deep[^]*index\.mjs:2/);
  assert.equal(response.headers.get("runlet-invocation-id"), problem.invocationId);
  const record = await server.client.invocation(problem.invocationId ?? "");
  assert.equal(record.status, "failed");
  assert.deepEqual(record.error, { code: "function_error", ...problem.functionError });
});

const ends: { what: string; source: string; exit: object; stdout: string }[] = [
  {
    what: "exits",
    source: "export const handler = () => { console.log('bye'); process.exit(9); };",
    exit: { code: 9, reason: "exited" },
    stdout: "bye\n",
  },
  {
    what: "exits with 0 instead of answering",
    source: "export const handler = () => process.exit(0);",
    exit: { code: 0, reason: "exited" },
    stdout: "",
  },
  {
    what: "kills itself",
    source: `export const handler = async () => {
      console.log('bye');
      process.kill(process.pid, "SIGKILL");
      await new Promise(() => {});
    };`,
    exit: { code: 137, reason: "signaled", signal: "SIGKILL" },
    stdout: "bye\n",
  },
  {
    what: "aborts",
    source: "export const handler = () => process.abort();",
    exit: { code: 134, reason: "signaled", signal: "SIGABRT" },
    stdout: "",
  },
];

for (const { what, source, exit, stdout } of ends) {
  test(`a handler that ${what} is told with how it ended`, async () => {
    await deploy(source);
    const problem = await problemIn(await call(server, "f"));
    assert.equal(problem.status, 502);
    assert.equal(problem.code, "function_error");
    assert.deepEqual(problem.exit, exit);
    const record = await server.client.invocation(problem.invocationId ?? "");
    assert.equal(record.status, "failed");
    assert.deepEqual(
      {
        code: record.exitCode,
        reason: record.exitReason,
        ...(record.exitSignal !== undefined && { signal: record.exitSignal }),
      },
      exit,
    );
    assert.equal(record.stdout, stdout);
  });
}

test("stdout and stderr are kept with the invocation that wrote them, apart from the answer", async () => {
  await deploy(`export const handler = ({ id }) => {
    console.log("out", id);
    console.error("err", id);
    return id;
  };`);
  const ids = Array.from({ length: 12 }, (_, index) => `event-${index}`);
  await Promise.all(
    ids.map(async (id) => {
      const response = await call(server, "f", { body: JSON.stringify({ id }) });
      assert.equal(await response.text(), id);
      const invocationId = response.headers.get("runlet-invocation-id") ?? "";
      const record = await server.client.invocation(invocationId);
      assert.equal(record.stdout, `out ${id}\n`);
      assert.equal(record.stderr, `err ${id}\n`);
      assert.equal(record.stdoutBytes, record.stdout.length);
    }),
  );
});

test("an answered invocation has its container's exit on record once that has ended", async () => {
  await deploy("export const handler = () => 1;");
  const { invocationId } = await server.client.invoke("f");
  const record = await endedInvocation(server.client, invocationId);
  assert.deepEqual([record.status, record.exitCode, record.exitReason], ["succeeded", 0, "exited"]);
});

test("each invocation has a container that nobody used before", async () => {
  await deploy(`let calls = 0;
import { existsSync, writeFileSync } from "node:fs";
export const handler = () => {
  const isUsed = existsSync("/tmp/used");
  writeFileSync("/tmp/used", "");
  return { calls: ++calls, isUsed };
};`);
  for (let round = 0; round < 3; round++) {
    const response = await call(server, "f");
    assert.deepEqual(await response.json(), { calls: 1, isUsed: false });
  }
});

test("the context tells of the invocation, the function and what it may use", async () => {
  await server.client.deploy("told", {
    runtime: "node",
    timeoutMs: 20_000,
    memoryBytes: 128 * 1024 * 1024,
    env: { GREETING: "hello" },
    code: {
      source: `export const handler = (event, context) => ({
        ...context,
        left: context.getRemainingTimeInMillis(),
        greeting: process.env.GREETING,
      });`,
    },
  });
  const response = await call(server, "told");
  const seen = (await response.json()) as Record<string, unknown>;
  assert.equal(seen["invocationId"], response.headers.get("runlet-invocation-id"));
  assert.equal(seen["functionName"], "told");
  assert.equal(seen["functionVersion"], "1");
  assert.equal(response.headers.get("runlet-function-version"), "1");
  assert.equal(seen["memoryLimitInMB"], 128);
  assert.equal(seen["greeting"], "hello");
  const left = seen["left"] as number;
  assert.ok(left > 0 && left <= 20_000, `${left} ms left`);
});

test("an old version can be invoked after a new one was deployed", async () => {
  const sources = ["'first'", "'second'"].map((text) => `export const handler = () => ${text};`);
  for (const source of sources) {
    await server.client.deploy("old", { runtime: "node", code: { source } });
  }
  const texts = await Promise.all(
    ["1", "2", undefined].map(async (qualifier) => {
      const answer = await server.client.invoke("old", {
        ...(qualifier !== undefined && { qualifier }),
      });
      return Buffer.from(answer.body).toString();
    }),
  );
  assert.deepEqual(texts, ["first", "second", "second"]);
});
