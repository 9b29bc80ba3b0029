import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Code } from "../../api/schema/code.ts";
import { poll } from "../../runtime/deadline.ts";
import { ricCode } from "../support/aws-lambda-ric.ts";
import { call } from "../support/call.ts";
import { problemIn, problemOf } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

const app = `
let calls = 0;
export const handler = async (event, context) => {
  if (event.fail) throw new TypeError("boom");
  console.log("called");
  return { event, calls: ++calls, id: context.awsRequestId, name: context.functionName, leftMs: context.getRemainingTimeInMillis() };
};
export const stream = awslambda.streamifyResponse(async (event, out) => {
  const response = awslambda.HttpResponseStream.from(out, { statusCode: 418, headers: { "x-own": "1" } });
  response.write("half");
  if (event.fail) throw new TypeError("late");
  response.end(" whole");
});`;

let server: TestServer;
let code: Code;
before(async () => {
  code = await ricCode(app);
  server = await startTestServer({ overrides: smallPool });
});
after(async () => await server[Symbol.asyncDispose]());

async function deploy(handler: string): Promise<void> {
  const command = ["node", "node_modules/aws-lambda-ric/index.mjs"];
  await server.client.deploy("ric", {
    runtime: "provided",
    handler,
    command,
    code,
    isolation: "reuse",
  });
}

test("Lambda's own client calls a handler again and again, with its context", async () => {
  await deploy("app.handler");
  for (const calls of [1, 2, 3]) {
    const response = await call(server, "ric", { body: '{"a":1}' });
    const { leftMs, ...answer } = (await response.json()) as { leftMs: number };
    const id = response.headers.get("runlet-invocation-id") ?? "";
    assert.deepEqual(answer, { event: { a: 1 }, calls, id, name: "ric" });
    assert.ok(leftMs > 0 && leftMs <= 30_000);
    assert.match((await server.client.invocation(id)).stdout, /called/);
  }
});

test("what a handler throws in Lambda's own client is the invocation's error, with its trace", async () => {
  await deploy("app.handler");
  const problem = await problemIn(await call(server, "ric", { body: '{"fail":1}' }));
  const { name, message, stack = "" } = problem.functionError ?? assert.fail("no error");
  assert.deepEqual([problem.status, name, message], [502, "TypeError", "boom"]);
  assert.match(stack, /^TypeError: boom\n.*app\.mjs/);
});

test("a streamed HTTP answer of Lambda's own client has its status, headers and body", async () => {
  await deploy("app.stream");
  const response = await call(server, "ric");
  assert.deepEqual([response.status, response.headers.get("x-own")], [418, "1"]);
  assert.equal(await response.text(), "half whole");
});

test("a stream of Lambda's own client that fails in the middle fails the invocation", async () => {
  await deploy("app.stream");
  const response = await call(server, "ric", { body: '{"fail":1}' });
  await assert.rejects(response.text(), { message: "terminated" });
  const id = response.headers.get("runlet-invocation-id") ?? "";
  const probe = async (): Promise<string | undefined> =>
    (await server.client.invocation(id)).error?.message;
  assert.match(await poll("see its end", probe, { timeoutMs: 30_000 }), /late/);
});

test("a handler that Lambda's own client does not find is refused with what it says", async () => {
  const problem = await problemOf(deploy("app.absent"));
  assert.equal(problem.code, "invalid_argument");
  assert.match(problem.detail, /app\.absent is undefined or not exported/);
});
