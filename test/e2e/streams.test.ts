import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import type { InvocationDetail } from "../../api/schema/invocation.ts";
import { poll } from "../../runtime/deadline.ts";
import { call } from "../support/call.ts";
import { startChildServer } from "../support/child-server.ts";
import { problemIn } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

const maxStreamBytes = 10_000_000;
const mebibyte = 1024 * 1024;

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { ...smallPool, maxStreamBytes } });
});
after(async () => await server[Symbol.asyncDispose]());

type Runtime = "node" | "python";

/** A handler that writes lines and then does what its event says last. */
const writers: Record<Runtime, FunctionSpecInput> = {
  node: {
    runtime: "node",
    isolation: "reuse",
    code: {
      source: `export async function* handler({ lines = 1, last, bytes = 0 }) {
  console.log("begun");
  for (let n = 0; n < lines; n++) yield "line " + n + "\\n";
  if (last === "throw") throw new RangeError("in the middle");
  if (last === "exit") process.exit(3);
  if (last === "wait") await new Promise((resolve) => setTimeout(resolve, 600_000));
  while (last === "flood" || bytes > 0) { yield Buffer.alloc(65536); bytes -= 65536; }
}`,
    },
  },
  python: {
    runtime: "python",
    isolation: "reuse",
    code: {
      source: `import sys, time
def handler(event, context):
    print("begun")
    return write(event.get("lines", 1), event.get("last"), event.get("bytes", 0))
def write(lines, last, bytes_left):
    for n in range(lines):
        yield "line %d\\n" % n
    if last == "throw":
        raise IndexError("in the middle")
    if last == "exit":
        sys.exit(3)
    if last == "wait":
        time.sleep(600)
    while last == "flood" or bytes_left > 0:
        yield bytes(65536)
        bytes_left -= 65536
`,
    },
  },
};

async function stream(name: string, event: object, signal?: AbortSignal): Promise<Response> {
  const response = await call(server, name, {
    body: JSON.stringify(event),
    ...(signal && { signal }),
  });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-length"), null);
  return response;
}

async function recordOf(
  response: Response,
  { client }: Pick<TestServer, "client"> = server,
): Promise<InvocationDetail> {
  return await client.invocation(response.headers.get("runlet-invocation-id") ?? "");
}

/** Waits for the end of an invocation whose caller is not told of it. */
async function endOf(
  response: Response,
  of: Pick<TestServer, "client"> = server,
): Promise<InvocationDetail> {
  return await poll(
    "see the invocation end",
    async () => {
      const record = await recordOf(response, of);
      return record.status === "running" ? undefined : record;
    },
    { timeoutMs: 30_000 },
  );
}

/** Reads a body that must be broken off; answers what came before. */
async function brokenBody(response: Response): Promise<string> {
  let text = "";
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? [])
      text += Buffer.from(chunk as Uint8Array).toString();
  };
  await assert.rejects(read(), { name: "TypeError", message: "terminated" });
  return text;
}

for (const runtime of ["node", "python"] as const) {
  const writer = writers[runtime];

  test(`a ${runtime} function that streams is answered with all of it, on record before its end`, async () => {
    await server.client.deploy("all", writer);
    const response = await stream("all", { lines: 1000 });
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
    const text = await response.text();
    assert.deepEqual(text, Array.from({ length: 1000 }, (_, n) => `line ${n}\n`).join(""));
    const record = await recordOf(response);
    assert.equal(record.status, "succeeded");
    assert.equal(record.answerBytes, text.length);
    assert.equal(record.stdout, "begun\n");
    assert.ok(record.runUs);
    const again = await stream("all", { bytes: 1_000_000 });
    assert.ok((await again.arrayBuffer()).byteLength > 1_000_000);
    assert.equal(
      (await recordOf(again)).containerId,
      record.containerId,
      "it is kept for the next",
    );
  });

  test(`the first chunk of a ${runtime} function arrives while it still runs, and its id is known by then`, async () => {
    await server.client.deploy("first", { ...writer, timeoutMs: 60_000 });
    // What is warm answers before a running invocation is on record.
    await (await stream("first", {})).text();
    const response = await stream("first", { last: "wait" });
    const { status, functionName, startedAtUs } = await recordOf(response);
    assert.deepEqual([status, functionName], ["running", "first"]);
    assert.ok(startedAtUs);
    const reader = response.body?.getReader();
    assert.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), "line 0\n");
    const id = response.headers.get("runlet-invocation-id") ?? "";
    const cancelled = await server.client.cancel(id);
    assert.equal(cancelled.status, "cancelled");
    assert.equal(cancelled.answerBytes, 7);
    await assert.rejects(reader?.read() ?? Promise.resolve(), { message: "terminated" });
  });

  test(`a ${runtime} function that throws in mid-stream has its body broken off, and its container serves on`, async () => {
    await server.client.deploy("throws", writer);
    const response = await stream("throws", { lines: 3, last: "throw" });
    assert.equal(await brokenBody(response), "line 0\nline 1\nline 2\n");
    const record = await recordOf(response);
    assert.equal(record.status, "failed");
    assert.equal(record.error?.code, "function_error");
    assert.equal(record.error.message, "in the middle");
    assert.match(record.error.stack ?? "", runtime === "node" ? /index\.mjs/ : /main\.py/);
    assert.equal(record.answerBytes, 21);
    const next = await stream("throws", {});
    assert.equal(await next.text(), "line 0\n");
    assert.equal((await recordOf(next)).containerId, record.containerId);
  });

  test(`a ${runtime} function that exits in mid-stream has its body broken off`, async () => {
    await server.client.deploy("exits", writer);
    const response = await stream("exits", { last: "exit" });
    assert.equal(await brokenBody(response), "line 0\n");
    const record = await recordOf(response);
    assert.deepEqual([record.status, record.exitCode, record.exitReason], ["failed", 3, "exited"]);
    assert.match(record.error?.message ?? "", /exited with code 3/);
  });

  test(`a ${runtime} function's timeout bounds the whole of its stream`, async () => {
    await server.client.deploy("slow", { ...writer, timeoutMs: 1000 });
    const response = await stream("slow", { last: "wait" });
    assert.equal(await brokenBody(response), "line 0\n");
    const record = await recordOf(response);
    assert.deepEqual([record.status, record.exitReason], ["timed_out", "timeout"]);
    assert.match(record.error?.message ?? "", /timed out after 1000 ms/);
    assert.ok((record.runUs ?? 0) >= 1_000_000);
  });

  test(`a caller of a ${runtime} function that goes away in mid-stream cancels it`, async () => {
    await server.client.deploy("left", { ...writer, timeoutMs: 60_000 });
    const caller = new AbortController();
    const response = await stream("left", { last: "wait" }, caller.signal);
    await response.body?.getReader().read();
    caller.abort();
    const record = await endOf(response);
    assert.deepEqual([record.status, record.exitReason], ["cancelled", "cancelled"]);
  });
}

test("a function that writes nothing for its idle timeout is ended", async () => {
  await server.client.deploy("idle", { ...writers.node, timeoutMs: 60_000, idleTimeoutMs: 500 });
  const response = await stream("idle", { last: "wait" });
  assert.equal(await brokenBody(response), "line 0\n");
  const record = await recordOf(response);
  assert.deepEqual([record.status, record.exitReason], ["timed_out", "timeout"]);
  assert.match(record.error?.message ?? "", /wrote nothing of its answer for 500 ms/);
});

test("the time that a function waits for its caller is not idle, but its timeout goes on", async () => {
  const timeouts = { timeoutMs: 2000, idleTimeoutMs: 300 };
  await server.client.deploy("held", { ...writers.node, ...timeouts });
  const response = await stream("held", { last: "flood" });
  const record = await endOf(response);
  assert.equal(record.status, "timed_out");
  assert.match(record.error?.message ?? "", /timed out after 2000 ms/);
  assert.ok((record.answerBytes ?? 0) < maxStreamBytes, "the caller's pace was the function's");
  await response.body?.cancel();
});

test("a caller that does not read holds the function back, and costs the server bounded memory", async () => {
  await using child = await startChildServer({ env: { RUNLET_MAX_STREAM_BYTES: "10000000000" } });
  const flood = async (name: Runtime, timeoutMs: number): Promise<Response> => {
    await child.client.deploy(name, { ...writers[name], timeoutMs });
    const path = `${child.url}/v1/functions/${name}/invocations`;
    const headers = { "content-type": "application/json" };
    return await fetch(path, { method: "POST", headers, body: '{"last": "flood"}' });
  };
  const runtimes = ["node", "python"] as const;
  const heldMs = 2_000;
  const baseBytes = child.memory().nowBytes;
  const responses = await Promise.all(runtimes.map(async (name) => await flood(name, heldMs)));
  for (const response of responses) {
    const { status, answerBytes = Infinity } = await endOf(response, child);
    assert.equal(status, "timed_out");
    assert.ok(answerBytes < 16 * mebibyte, `it could write ${answerBytes} bytes`);
    await response.body?.cancel();
  }
  const growth = child.memory().peakBytes - baseBytes;
  assert.ok(growth < 100 * mebibyte, `the server grew by ${growth} bytes`);
});

test("an answer past the server's bound is a failure in mid-stream", async () => {
  await server.client.deploy("flood", writers.node);
  const response = await stream("flood", { last: "flood" });
  assert.ok((await brokenBody(response)).length <= maxStreamBytes);
  const record = await recordOf(response);
  assert.equal(record.status, "failed");
  assert.equal(record.error?.code, "function_error");
  assert.match(record.error.message, /longer than 10000000 bytes/);
});

test("a stream that fails before it begins is answered as any failure", async () => {
  await server.client.deploy("early", writers.node);
  const problem = await problemIn(
    await call(server, "early", { body: JSON.stringify({ lines: 0, last: "throw" }) }),
  );
  assert.equal(problem.status, 502);
  assert.equal(problem.functionError?.name, "RangeError");
});

test("a stream that nobody waits for is written to its end", async () => {
  await server.client.deploy("unread", writers.node);
  const accepted = await server.fetch("/v1/functions/unread/invocations", {
    method: "POST",
    headers: { "content-type": "application/json", prefer: "respond-async" },
    body: JSON.stringify({ bytes: 1_000_000 }),
  });
  assert.equal(accepted.status, 202);
  const record = await poll(
    "see it end",
    async () =>
      (await server.client.invocations({ function: "unread", status: "succeeded" })).items[0],
    { timeoutMs: 20_000 },
  );
  assert.ok((record.answerBytes ?? 0) > 1_000_000);
});

test("a call with an idempotency key is answered with the whole of a stream, each time", async () => {
  await server.client.deploy("keyed", writers.node);
  const ids = new Set<string | null>();
  for (let n = 0; n < 2; n++) {
    const response = await server.fetch("/v1/functions/keyed/invocations", {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "a" },
      body: JSON.stringify({ lines: 2 }),
    });
    assert.equal(await response.text(), "line 0\nline 1\n");
    ids.add(response.headers.get("runlet-invocation-id"));
  }
  assert.equal(ids.size, 1);
});

test("events of a public function are told as they happen, and HEAD is answered without them", async () => {
  await server.client.deploy("events", {
    runtime: "node",
    http: { public: true },
    code: {
      source: `export default { fetch: () => new Response(new ReadableStream({
        async pull(controller) {
          controller.enqueue(new TextEncoder().encode("data: now\\n\\n"));
          await new Promise((resolve) => setTimeout(resolve, 10));
          if (++this.told === 3) controller.close();
        }, told: 0,
      }), { headers: { "content-type": "text/event-stream", "x-own": "a" } }) };`,
    },
  });
  const response = await server.fetch("/f/events");
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(response.headers.get("x-own"), "a");
  assert.equal(await response.text(), "data: now\n\n".repeat(3));
  const head = await server.fetch("/f/events", { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal((await endOf(head)).status, "succeeded");
});

function stagesIn({ headers }: Response): string[] {
  const parts = headers.get("server-timing")?.split(", ") ?? [];
  for (const part of parts) assert.match(part, /^[a-z]+;dur=\d+\.\d{3}$/);
  return parts.map((part) => part.split(";")[0] ?? "");
}

test("an answer tells its stages: a whole one all, a streamed one those before its begin", async () => {
  const code = { source: "export const handler = () => 1" };
  await server.client.deploy("whole", { runtime: "node", code });
  const whole = await call(server, "whole", {});
  assert.equal(await whole.text(), "1");
  assert.deepEqual(stagesIn(whole).slice(-2), ["run", "record"]);
  await server.client.deploy("timed", writers.node);
  const streamed = await stream("timed", { lines: 1 });
  await streamed.arrayBuffer();
  const begun = stagesIn(streamed);
  assert.ok(begun.includes("take") && !begun.includes("run"), begun.join());
});
