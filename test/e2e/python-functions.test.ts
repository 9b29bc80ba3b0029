import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call } from "../support/call.ts";
import { problemIn } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
});
after(async () => await server[Symbol.asyncDispose]());

async function deploy(body: string): Promise<void> {
  const source = `import os, signal, sys\ndef handler(event, context):\n    ${body}\n`;
  await server.client.deploy("f", { runtime: "python", code: { source } });
}

const events: { what: string; body: string | Uint8Array; type: string; seen: unknown }[] = [
  {
    what: "JSON as its value",
    body: '{"a":[1,"ü"]}',
    type: "application/json",
    seen: ["dict", "{'a': [1, 'ü']}"],
  },
  { what: "text as text", body: "{not", type: "text/plain", seen: ["str", "'{not'"] },
  {
    what: "anything else as bytes",
    body: new Uint8Array([0, 255]),
    type: "application/octet-stream",
    seen: ["bytes", "b'\\x00\\xff'"],
  },
];

test("a handler gets its event by its content type", async (t) => {
  await deploy("return [type(event).__name__, repr(event)]");
  for (const { what, body, type, seen } of events) {
    await t.test(what, async () => {
      assert.deepEqual(await (await call(server, "f", { body, type })).json(), seen);
    });
  }
});

const answers: { what: string; returned: string; type: string; body: string }[] = [
  { what: "a dict", returned: '{"a": [1, "ü"]}', type: "application/json", body: '{"a":[1,"ü"]}' },
  { what: "text", returned: '"plain ü"', type: "text/plain; charset=utf-8", body: "plain ü" },
  { what: "bytes", returned: 'b"raw"', type: "application/octet-stream", body: "raw" },
  { what: "None", returned: "None", type: "application/json", body: "null" },
];

for (const { what, returned, type, body } of answers) {
  test(`${what} that a handler returns is the answer`, async () => {
    await deploy(`return ${returned}`);
    const response = await call(server, "f");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), type);
    assert.equal(await response.text(), body);
  });
}

test("an async handler is awaited", async () => {
  const source = `import asyncio
async def handler(event, context):
    await asyncio.sleep(0.01)
    return "awaited"`;
  await server.client.deploy("f", { runtime: "python", code: { source } });
  assert.equal(await (await call(server, "f")).text(), "awaited");
});

test("the handler that is named is called", async () => {
  await server.client.deploy("f", {
    runtime: "python",
    handler: "src/app.main",
    code: {
      files: [
        {
          path: "src/app.py",
          content: "from src.other import word\ndef main(event, context): return word",
        },
        { path: "src/other.py", content: "word = 'found'" },
      ],
    },
  });
  assert.equal(await (await call(server, "f")).text(), "found");
});

test("what a handler raises is told with name, message and traceback, and is on record", async () => {
  await deploy("raise KeyError('no tea')");
  const problem = await problemIn(await call(server, "f"));
  assert.equal(problem.status, 502);
  assert.equal(problem.code, "function_error");
  assert.equal(problem.functionError?.name, "KeyError");
  assert.equal(problem.functionError.message, "'no tea'");
  assert.match(problem.functionError.stack ?? "", /Traceback[^]*main\.py", line 3, in handler/);
  const record = await server.client.invocation(problem.invocationId ?? "");
  assert.equal(record.status, "failed");
  assert.deepEqual(record.error, { code: "function_error", ...problem.functionError });
});

const ends: { what: string; body: string; exit: object; stdout: string }[] = [
  {
    what: "exits",
    body: "print('bye'); sys.exit(9)",
    exit: { code: 9, reason: "exited" },
    stdout: "bye\n",
  },
  {
    what: "exits at once",
    body: "os._exit(0)",
    exit: { code: 0, reason: "exited" },
    stdout: "",
  },
  {
    what: "is terminated",
    body: "print('bye', flush=True); os.kill(os.getpid(), signal.SIGTERM)",
    exit: { code: 143, reason: "signaled", signal: "SIGTERM" },
    stdout: "bye\n",
  },
];

for (const { what, body, exit, stdout } of ends) {
  test(`a handler that ${what} is told with how it ended`, async () => {
    await deploy(body);
    const problem = await problemIn(await call(server, "f"));
    assert.equal(problem.code, "function_error");
    assert.deepEqual(problem.exit, exit);
    const record = await server.client.invocation(problem.invocationId ?? "");
    assert.equal(record.stdout, stdout);
  });
}

test("stdout and stderr are kept with the invocation that wrote them, apart from the answer", async () => {
  await deploy(
    "print('out', event['id']); print('err', event['id'], file=sys.stderr); return event['id']",
  );
  const ids = Array.from({ length: 6 }, (_, index) => `event-${index}`);
  await Promise.all(
    ids.map(async (id) => {
      const response = await call(server, "f", { body: JSON.stringify({ id }) });
      assert.equal(await response.text(), id);
      const invocationId = response.headers.get("runlet-invocation-id") ?? "";
      const record = await server.client.invocation(invocationId);
      assert.deepEqual([record.stdout, record.stderr], [`out ${id}\n`, `err ${id}\n`]);
    }),
  );
});

test("the context tells of the invocation, the function and what it may use", async () => {
  await server.client.deploy("told", {
    runtime: "python",
    memoryBytes: 128 * 1024 * 1024,
    timeoutMs: 20_000,
    env: { GREETING: "hello" },
    code: {
      source: `import os
def handler(event, context):
    return [context.invocation_id, context.function_name, context.function_version,
            context.memory_limit_in_mb, context.get_remaining_time_in_millis(), os.environ["GREETING"]]`,
    },
  });
  const response = await call(server, "told");
  const [id, name, version, memory, left, greeting] = (await response.json()) as unknown[];
  const expected = [response.headers.get("runlet-invocation-id"), "told", "1", 128, "hello"];
  assert.deepEqual([id, name, version, memory, greeting], expected);
  assert.ok(Number(left) > 0 && Number(left) <= 20_000);
});
