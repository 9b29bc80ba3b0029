import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { pythonBootstrap } from "../support/bootstrap.ts";
import { call } from "../support/call.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

async function deploy(source: string, config: Partial<FunctionSpecInput> = {}): Promise<void> {
  await server.client.deploy("f", { runtime: "provided", code: { source }, ...config });
}

async function answerOf(body: string, config: Partial<FunctionSpecInput> = {}): Promise<unknown> {
  await deploy(pythonBootstrap(body), config);
  return await (await call(server, "f")).json();
}

test("a program that speaks the Runtime API gets the event and answers it", async () => {
  await deploy(pythonBootstrap("print('seen', event.decode(), flush=True)\nrespond(id, event)"));
  const response = await call(server, "f", { body: '{"a":"ü"}' });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual(await response.json(), { a: "ü" });
  const record = await server.client.invocation(response.headers.get("runlet-invocation-id") ?? "");
  assert.equal(record.stdout, 'seen {"a":"ü"}\n');
  assert.equal(record.status, "succeeded");
});

test("a program in node, with files beside it and a command of its own, answers as well", async () => {
  const program = `
    import { readFileSync } from "node:fs";
    const base = \`http://\${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation\`;
    for (;;) {
      const event = await fetch(base + "/next");
      const id = event.headers.get("lambda-runtime-aws-request-id");
      const answer = readFileSync("data.txt", "utf8") + (await event.text()) + process.argv[2];
      await fetch(base + "/" + id + "/response", { method: "POST", body: answer });
    }`;
  await server.client.deploy("f", {
    runtime: "provided",
    command: ["node", "app.mjs", "last"],
    code: {
      files: [
        { path: "app.mjs", content: program },
        { path: "data.txt", content: "data" },
      ],
    },
  });
  const response = await call(server, "f", { body: "text", type: "text/plain" });
  assert.equal(response.headers.get("content-type"), "text/plain;charset=UTF-8");
  assert.equal(await response.text(), "datatextlast");
});

test("an event says which invocation it is, of what, until when, and what it is", async () => {
  const body = "respond(id, json.dumps(dict(headers)))";
  await deploy(pythonBootstrap(body), { timeoutMs: 60_000 });
  const response = await call(server, "f", { body: "x", type: "text/plain" });
  const headers = (await response.json()) as Record<string, string>;
  assert.equal(
    headers["Lambda-Runtime-Aws-Request-Id"],
    response.headers.get("runlet-invocation-id"),
  );
  assert.match(
    headers["Lambda-Runtime-Invoked-Function-Arn"] ?? "",
    /^arn:aws:lambda:us-east-1:000000000000:function:f:\d+$/,
  );
  const leftMs = Number(headers["Lambda-Runtime-Deadline-Ms"]) - Date.now();
  assert.ok(leftMs > 0 && leftMs <= 60_000, String(leftMs));
  assert.equal(headers["Content-Type"], "text/plain");
  assert.match(
    headers["Lambda-Runtime-Trace-Id"] ?? "",
    /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1$/,
  );
});

test("a program has the environment that Lambda gives it, and the function's own", async () => {
  const env = (await answerOf("respond(id, json.dumps(dict(os.environ)))", {
    handler: "app.main",
    env: { OWN: "1", AWS_REGION: "eu-central-1", AWS_LAMBDA_RUNTIME_API: "10.0.0.1:1" },
    memoryBytes: 128 * 1024 * 1024,
  })) as Record<string, string>;
  assert.deepEqual(
    [env["_HANDLER"], env["AWS_LAMBDA_FUNCTION_NAME"], env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]],
    ["app.main", "f", "128"],
  );
  assert.deepEqual(
    [env["OWN"], env["AWS_REGION"], env["AWS_LAMBDA_RUNTIME_API"], env["LAMBDA_TASK_ROOT"]],
    ["1", "eu-central-1", "127.0.0.1:9001", "/tmp/task"],
  );
  assert.match(env["AWS_LAMBDA_FUNCTION_VERSION"] ?? "", /^\d+$/);
  assert.equal(env["AWS_LAMBDA_LOG_GROUP_NAME"], "/aws/lambda/f");
});

test("a program inherits no descriptor but its standard ones", async () => {
  const look = `
def is_open(descriptor):
    try:
        return bool(os.fstat(descriptor))
    except OSError:
        return False
inherited = [n for n in range(100) if is_open(n)]`;
  await deploy(pythonBootstrap("respond(id, json.dumps(inherited))", look));
  assert.deepEqual(await (await call(server, "f")).json(), [0, 1, 2]);
});

test("an event without bytes is an empty object, and a form is what it holds", async () => {
  await deploy(
    pythonBootstrap("respond(id, event, {'Content-Type': 'application/x-www-form-urlencoded'})"),
  );
  const response = await call(server, "f", { body: "" });
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual(await response.json(), {});
});

test("bytes of some megabytes pass unchanged in both directions", async () => {
  await deploy(pythonBootstrap("respond(id, event, {'Content-Type': headers['Content-Type']})"));
  const bytes = Buffer.alloc(5_000_000, "0123456789abcdef\0\xff", "latin1");
  const response = await call(server, "f", { body: bytes, type: "application/octet-stream" });
  assert.equal(response.headers.get("content-type"), "application/octet-stream");
  assert.ok(Buffer.from(await response.arrayBuffer()).equals(bytes));
});

test("a public program gets an HTTP request as Lambda's event and answers with status and headers", async () => {
  const body = `
http = json.loads(event)["requestContext"]["http"]
respond(id, json.dumps({"statusCode": 201, "headers": {"x-way": http["method"] + http["path"]}, "cookies": ["a=1"], "body": "made"}))`;
  await deploy(pythonBootstrap(body), { http: { public: true } });
  const response = await server.fetch("/f/f/things?a=1", { method: "PUT", body: "x" });
  assert.deepEqual([response.status, await response.text()], [201, "made"]);
  assert.equal(response.headers.get("x-way"), "PUT/things");
  assert.deepEqual(response.headers.getSetCookie(), ["a=1"]);
});
