import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { call } from "../support/call.ts";
import { startChildServer } from "../support/child-server.ts";
import { type Collector, type Span, startCollector } from "../support/collector.ts";
import { startReceiver } from "../support/receiver.ts";
import { startTestServer } from "../support/server.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const callerSpan = "00f067aa0ba902b7";
const traceparent = `00-${traceId}-${callerSpan}-01`;
const unsampledTrace = "a".repeat(32);
/** What must be in no span: a secret, an event, output, an error's message, a path and a query. */
const hidden = {
  secret: "s3cr3t-value",
  event: "of-the-event",
  output: "of-the-output",
  message: "of-the-error",
  path: "of-the-path",
  query: "of-the-query",
};
const source = `export const handler = (event, { traceparent }) => {
  console.log("${hidden.output}");
  if (event?.fail) throw new Error("${hidden.message}");
  return { traceparent, secret: process.env.SECRET };
};`;

const halfOf = (id: string): string => id.slice(19).replace("-", "");

suite("where a collector is named", () => {
  let collector: Collector;
  let spans: readonly Span[];
  const ids = { called: "", failed: "", event: "", sandbox: "" };

  before(async () => {
    collector = await startCollector();
    await using server = await startTestServer({ overrides: { otlpEndpoint: collector.url } });
    const { client } = server;
    await client.setSecret("secret", hidden.secret);
    const spec = { runtime: "node", code: { source } } as const;
    const secrets = { SECRET: "secret" };
    await client.deploy("f", { ...spec, secrets, http: { public: true } });
    await client.deploy("next", { ...spec, async: { maxAttempts: 1 } });
    await client.deploy("first", { ...spec, async: { onSuccess: { function: "next" } } });
    const called = await client.invoke("f", { event: `"${hidden.event}"`, traceparent });
    ids.called = called.invocationId;
    const passedOn = (JSON.parse(Buffer.from(called.body).toString()) as { traceparent: string })
      .traceparent;
    assert.equal(passedOn, `00-${traceId}-${halfOf(ids.called)}-01`);
    const failed = await call(server, "f", { body: '{"fail":1}', type: "application/json" });
    ids.failed = failed.headers.get("runlet-invocation-id") ?? "";
    await server.fetch(`/f/f/${hidden.path}?${hidden.query}`);
    const unsampled = `00-${unsampledTrace}-${callerSpan}-00`;
    await client.invoke("f", { event: "1", traceparent: unsampled });
    await client.invokeAsync("first", { event: "1", traceparent: unsampled });
    await poll(
      "see the destination of the unsampled one called",
      async () => (await client.invocations({ function: "next", status: "succeeded" })).items[0],
      { timeoutMs: 30_000 },
    );
    ids.event = (await client.invokeAsync("first", { event: "1" })).eventId;
    await poll(
      "see the destination called",
      async () => (await client.invocations({ function: "next" })).items[1],
      { timeoutMs: 30_000 },
    );
    const box = await client.sandboxes.open();
    ids.sandbox = box.id;
    await box.commands.run({ command: `echo ${hidden.output}` });
    await box.delete();
    await server[Symbol.asyncDispose]();
    spans = collector.spans();
  });
  after(async () => await collector[Symbol.asyncDispose]());

  const spanOf = (id: string): Span => {
    const found = spans.filter(({ spanId }) => spanId === halfOf(id));
    assert.equal(found.length, 1, `spans of ${id}`);
    return found[0] as Span;
  };
  const parentOf = ({ traceId: trace, parentSpanId }: Span): Span => {
    const found = spans.find((each) => each.traceId === trace && each.spanId === parentSpanId);
    assert.ok(found, `no parent ${parentSpanId}`);
    return found;
  };

  test("a call continues its caller's trace: the request, the invocation in it, its stages in that", () => {
    const invocation = spanOf(ids.called);
    const request = parentOf(invocation);
    assert.deepEqual([request.traceId, request.parentSpanId], [traceId, callerSpan]);
    assert.deepEqual([request.kind, request.isError], ["server", false]);
    assert.equal(request.name, "POST /v1/functions/{name}/invocations");
    assert.equal(request.attributes["http.route"], "/v1/functions/{name}/invocations");
    assert.equal(request.attributes["http.request.method"], "POST");
    assert.equal(request.attributes["http.response.status_code"], 200);
    assert.equal(request.attributes["runlet.invocation.id"], ids.called);
    assert.equal(request.resource["service.name"], "runlet");
    assert.equal(invocation.name, "invoke f");
    assert.equal(invocation.attributes["faas.invocation_id"], ids.called);
    assert.equal(invocation.attributes["faas.coldstart"], true);
    assert.equal(invocation.attributes["runlet.status"], "succeeded");
    const stages = spans.filter(({ parentSpanId }) => parentSpanId === invocation.spanId);
    const names = stages.map(({ name }) => name);
    assert.deepEqual(names, ["queue", "take", "init", "run", "record"]);
    const [slackUs, around] = [2_000, [request, invocation]];
    for (const stage of stages) {
      assert.equal(stage.traceId, traceId);
      for (const { startUs, endUs } of around) {
        assert.ok(stage.startUs >= startUs - slackUs && stage.endUs <= endUs + slackUs, stage.name);
      }
    }
  });

  test("a call without a trace begins one, which its record bears, and a failure is an error", () => {
    const invocation = spanOf(ids.failed);
    const request = parentOf(invocation);
    assert.equal(request.parentSpanId, undefined);
    assert.deepEqual([invocation.isError, request.isError], [true, true]);
    assert.equal(invocation.attributes["error.type"], "function_error");
    assert.equal(request.attributes["http.response.status_code"], 502);
  });

  test("an event and what follows from it are one trace, each below what queued it", () => {
    const queued = spanOf(ids.event);
    assert.deepEqual([queued.name, queued.kind], ["queue first", "producer"]);
    assert.equal(parentOf(queued).kind, "server");
    const below = (span: Span, name: string): Span => {
      const found = spans.find((each) => each.parentSpanId === span.spanId && each.name === name);
      assert.equal(found?.traceId, queued.traceId, name);
      return found;
    };
    const attempt = below(queued, "invoke first");
    assert.deepEqual(
      [attempt.kind, attempt.attributes["runlet.event.id"]],
      ["consumer", ids.event],
    );
    below(below(queued, "queue next"), "invoke next");
  });

  test("what is done with a sandbox bears its id", () => {
    const names = spans
      .filter(({ attributes }) => attributes["runlet.sandbox.id"] === ids.sandbox)
      .map(({ name }) => name);
    assert.ok(names.includes("POST /v1/sandboxes/{id}/commands"), names.join());
    assert.ok(names.includes("DELETE /v1/sandboxes/{id}"), names.join());
  });

  test("a trace that its caller does not have recorded is not", () => {
    assert.deepEqual(
      spans.filter((span) => span.traceId === unsampledTrace),
      [],
    );
  });

  test("nothing that callers or code wrote is in a span", () => {
    const urls = spans.filter(({ name }) => name === "GET /f/{target}/*");
    assert.equal(urls.length, 1);
    for (const text of Object.values(hidden)) assert.ok(!collector.text().includes(text), text);
  });
});

test("a collector that does not answer keeps neither a call nor the server's end waiting", async () => {
  await using deaf = await startReceiver(() => undefined);
  const env = { RUNLET_OTLP_ENDPOINT: deaf.url };
  await using server = await startChildServer({ env });
  const ran = await server.client.execute({ runtime: "command", command: ["true"] });
  assert.equal(ran.exitCode, 0);
  server.kill("SIGTERM");
  const startMs = performance.now();
  assert.deepEqual(await server.ended(), { code: 0, signal: null });
  assert.ok(performance.now() - startMs < 15_000);
  assert.equal(deaf.received.length, 1);
  assert.match(server.log(), /"msg":"traces are lost"/);
});
