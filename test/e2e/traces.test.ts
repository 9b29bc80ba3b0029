import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { problemIn, problemOf } from "../support/problem.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
const node =
  "export const handler = (event, { traceId, traceparent }) => ({ traceId, traceparent });";
const python =
  "def handler(event, context):\n    return dict(traceId=context.trace_id, traceparent=context.traceparent)\n";

/** What an invocation's calls are to be part of: its span has the last half of its id. */
const passedOn = (traceId: string, invocationId: string): string =>
  `00-${traceId}-${invocationId.slice(19).replace("-", "")}-01`;

let server: TestServer;
before(async () => {
  server = await startTestServer();
  const { client } = server;
  await client.deploy("node", { runtime: "node", code: { source: node } });
  await client.deploy("python", { runtime: "python", code: { source: python } });
  await client.deploy("fails", { runtime: "command", command: ["false"] });
});
after(async () => await server[Symbol.asyncDispose]());

for (const name of ["node", "python"]) {
  test(`a ${name} function, its record and its answer bear the trace that its caller named`, async () => {
    const answer = await server.client.invoke(name, { traceparent });
    assert.deepEqual(JSON.parse(Buffer.from(answer.body).toString()), {
      traceId: trace,
      traceparent: passedOn(trace, answer.invocationId),
    });
    assert.equal(answer.headers.get("runlet-trace-id"), trace);
    assert.equal((await server.client.invocation(answer.invocationId)).traceId, trace);
  });

  test(`a ${name} function that was called without a trace is given one of its own`, async () => {
    for (const given of [undefined, "00-nonsense-01"]) {
      const answer = await server.client.invoke(name, { traceparent: given });
      const traceId = answer.headers.get("runlet-trace-id") ?? "";
      assert.match(traceId, /^[0-9a-f]{32}$/);
      assert.notEqual(traceId, trace);
      assert.deepEqual(JSON.parse(Buffer.from(answer.body).toString()), {
        traceId,
        traceparent: passedOn(traceId, answer.invocationId),
      });
      const { items } = await server.client.invocations({ traceId });
      assert.deepEqual(
        items.map((item) => [item.id, item.traceId]),
        [[answer.invocationId, traceId]],
      );
    }
  });
}

test("programs find the trace in TRACEPARENT, sampled or not as their caller has it", async () => {
  const { client } = server;
  await client.deploy("program", {
    runtime: "command",
    command: ["sh", "-c", 'echo "$TRACEPARENT"'],
  });
  const called = await client.invoke("program", { traceparent: traceparent.replace(/01$/, "00") });
  const shown = Buffer.from(called.body).toString().trim();
  assert.equal(shown, passedOn(trace, called.invocationId).replace(/01$/, "00"));
  const executed = await client.execute({
    runtime: "command",
    command: ["sh", "-c", 'echo "$TRACEPARENT"'],
  });
  const { traceId, invocationId } = executed;
  assert.equal(executed.stdout.trim(), passedOn(traceId, invocationId));
});

test("an event and what its end calls are sampled as the caller of the first has it", async () => {
  const { client } = server;
  const command = ["sh", "-c", 'echo "$TRACEPARENT" >&2'];
  await client.deploy("second", { runtime: "command", command });
  const async = { onSuccess: { function: "second" } };
  await client.deploy("first", { runtime: "command", command, async });
  for (const flags of ["00", "01"]) {
    const traceId = trace.replace(/^../, flags);
    const given = traceparent.replace(trace, traceId).replace(/01$/, flags);
    await client.invokeAsync("first", { traceparent: given });
    for (const name of ["first", "second"]) {
      const query = { function: name, traceId, status: "succeeded" } as const;
      const find = async (): Promise<string | undefined> =>
        (await client.invocations(query)).items[0]?.id;
      const id = await poll(`see ${name} called`, find, { timeoutMs: 20_000 });
      const { stderr } = await client.invocation(id);
      assert.equal(stderr.trim(), passedOn(traceId, id).replace(/01$/, flags));
    }
  }
});

test("all invocations of a batch bear the trace that its caller named", async () => {
  const { items } = await server.client.invokeBatch("node", [1, 2], { traceparent });
  assert.deepEqual(
    items.map(({ answer }) => answer),
    items.map(({ invocationId = "" }) => ({
      traceId: trace,
      traceparent: passedOn(trace, invocationId),
    })),
  );
});

test("a failure and an execution bear the trace too, and all of a trace are found by it", async () => {
  const headers = { traceparent, "content-type": "application/json" };
  const post = { method: "POST", headers };
  const failed = await server.fetch("/v1/functions/fails/invocations", { ...post, body: "{}" });
  assert.equal(failed.headers.get("runlet-trace-id"), trace);
  const { invocationId } = await problemIn(failed);
  const body = JSON.stringify({ runtime: "command", command: ["true"] });
  const executed = await server.fetch("/v1/execute", { ...post, body });
  assert.equal(executed.headers.get("runlet-trace-id"), trace);
  const result = (await executed.json()) as { invocationId: string; traceId: string };
  assert.equal(result.traceId, trace);
  const { items } = await server.client.invocations({ traceId: trace, limit: 2 });
  assert.deepEqual(
    items.map(({ id }) => id),
    [result.invocationId, invocationId],
  );
  const failures = await server.client.invocations({ traceId: trace, status: "failed" });
  assert.deepEqual(
    failures.items.map(({ id }) => id),
    [invocationId],
  );
});

test("what is no trace id is refused as a filter", async () => {
  const { code } = await problemOf(server.client.invocations({ traceId: "4bf9" }));
  assert.equal(code, "invalid_argument");
});
