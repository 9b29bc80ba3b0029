import assert from "node:assert/strict";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { problemIn } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

const maxEventBytes = 64 * 1024;

let server: TestServer;
before(async () => {
  server = await startTestServer({
    overrides: {
      ...smallPool,
      maxEventBytes,
      maxStreamedRequestBytes: maxEventBytes,
      maxConcurrency: 2,
      queueLimit: 0,
    },
  });
  await deploy("mirror", mirror);
});
after(async () => await server[Symbol.asyncDispose]());

const mirror = `export default { async fetch(request) {
  const { method, url, headers } = request;
  return Response.json(
    { method, url, headers: Object.fromEntries(headers), body: await request.text() },
    { status: 201, headers: [
      ["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-own", "é"],
      ["connection", "x-hop"], ["x-hop", "1"], ["keep-alive", "timeout=9"], ["runlet-start", "lie"],
    ] },
  );
} };`;

async function deploy(
  name: string,
  source: string,
  more: Partial<FunctionSpecInput> = {},
): Promise<void> {
  await server.client.deploy(name, {
    runtime: "node",
    code: { source },
    http: { public: true },
    ...more,
  });
}

interface Sent {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

/** Sends a request as it is written: `fetch` would tidy its path and keep some headers to itself. */
async function send(
  path: string,
  { method = "GET", headers = {}, body }: Sent = {},
): Promise<IncomingMessage & { body: Buffer }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { hostname, port } = new URL(server.url);
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  const whole = { ...headers, ...length };
  const options = { hostname, port, path, method, headers: whole, agent: false };
  httpRequest(options, resolve).on("error", reject).end(body);
  const message = await promise;
  return Object.assign(message, { body: await buffer(message) });
}

interface Mirrored {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

async function mirrored(path: string, sent?: Sent): Promise<Mirrored> {
  return JSON.parse((await send(path, sent)).body.toString()) as Mirrored;
}

test("a fetch-style handler gets the request as its client sent it", async () => {
  const path = "/f/mirror/a%20b/%2F/%C3%BC//c?x=1&x=%26";
  const seen = await mirrored(path, { method: "PATCH", body: "text", headers: { "x-a": "1" } });
  assert.deepEqual(
    [seen.method, seen.url, seen.body, seen.headers["x-a"]],
    ["PATCH", server.url + path, "text", "1"],
  );
});

test("a function's own address, with a version, an alias or without, is its root", async () => {
  await deploy("versioned", "export const handler = (event) => [1, event.rawPath];");
  await deploy("versioned", "export const handler = (event) => [2, event.rawPath];");
  await server.client.putAlias("versioned", "live", { version: 1 });
  const answers: [string, unknown][] = [
    ["/f/versioned:live/a", [1, "/a"]],
    ["/f/versioned", [2, "/"]],
    ["/f/versioned/", [2, "/"]],
    ["/f/versioned:1", [1, "/"]],
    ["/f/versioned%3A1/a%2Fb/", [1, "/a%2Fb/"]],
    ["/f/versioned:$LATEST/a", [2, "/a"]],
  ];
  for (const [path, expected] of answers) {
    assert.deepEqual(JSON.parse((await send(path)).body.toString()), expected, path);
  }
});

test("a Response keeps its status, its headers and each of its cookies", async () => {
  const { statusCode, headers } = await send("/f/mirror");
  assert.equal(statusCode, 201);
  assert.deepEqual(headers["set-cookie"], ["a=1", "b=2"]);
  assert.equal(headers["x-own"], "é");
  assert.equal(headers["content-type"], "application/json");
});

test("a function does not speak for the whole origin, nor install a worker there", async () => {
  await deploy(
    "origin",
    `export default { fetch: () => new Response(null, { status: 204, headers: {
      "service-worker-allowed": "/", "clear-site-data": "*", "x-hono-already-sent": "true", "x-own": "1",
    } }) };`,
  );
  const { statusCode, headers } = await send("/f/origin");
  assert.deepEqual([statusCode, headers["x-own"]], [204, "1"]);
  for (const name of ["service-worker-allowed", "clear-site-data", "x-hono-already-sent"]) {
    assert.equal(headers[name], undefined, name);
  }
  const worker = await send("/f/origin", { headers: { "service-worker": "script" } });
  assert.equal(worker.statusCode, 403);
});

test("headers of one hop do not pass in either direction", async () => {
  const { headers, ...answer } = await mirroredAnswer({
    connection: "close, x-secret-hop",
    "x-secret-hop": "1",
    te: "trailers",
    "proxy-authorization": "Basic eA==",
  });
  for (const name of ["connection", "x-secret-hop", "te", "proxy-authorization"]) {
    assert.equal(headers[name], undefined, name);
  }
  for (const name of ["x-hop", "keep-alive"]) assert.equal(answer.received[name], undefined, name);
});

async function mirroredAnswer(
  headers: Record<string, string>,
): Promise<{ headers: Record<string, string>; received: IncomingMessage["headers"] }> {
  const message = await send("/f/mirror", { headers });
  const { headers: seen } = JSON.parse(message.body.toString()) as Mirrored;
  return { headers: seen, received: message.headers };
}

test("a function is told where a request came from by the server and not by the client", async () => {
  const { headers } = await mirrored("/f/mirror/a", {
    headers: {
      host: "run.example",
      "x-forwarded-for": "203.0.113.1",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "evil.example",
      "x-forwarded-prefix": "/evil",
      "x-forwarded-port": "1",
      forwarded: "for=203.0.113.1",
    },
  });
  const told = Object.entries(headers).filter(([name]) => name.includes("forwarded"));
  assert.deepEqual(Object.fromEntries(told), {
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "run.example",
    "x-forwarded-prefix": "/f/mirror",
  });
});

test("an answer names its invocation, whatever the function says of it", async () => {
  const { headers } = await send("/f/mirror:1");
  assert.match(String(headers["runlet-start"]), /^(cold|pooled|warm)$/);
  assert.equal(headers["runlet-function-version"], "1");
  const record = await server.client.invocation(String(headers["runlet-invocation-id"]));
  assert.deepEqual([record.status, record.functionName], ["succeeded", "mirror"]);
});

test("a python handler gets and gives what AWS Lambda has for function URLs", async () => {
  const source = `def handler(event, context):
    http = event["requestContext"]["http"]
    return {"statusCode": 202, "cookies": ["a=1", "b=2"], "headers": {"x-way": http["method"]},
            "body": event["rawPath"] + "?" + event["rawQueryString"] + event["body"]}
`;
  await deploy("lambda", source, { runtime: "python" });
  const { statusCode, headers, body } = await send("/f/lambda/a%20b?c=d", {
    method: "DELETE",
    headers: { "content-type": "text/plain" },
    body: "!",
  });
  assert.deepEqual(
    [statusCode, headers["set-cookie"], headers["x-way"], body.toString()],
    [202, ["a=1", "b=2"], "DELETE", "/a%20b?c=d!"],
  );
});

test("bytes pass unchanged in both directions", async () => {
  await deploy(
    "echo",
    `export const handler = ({ body, isBase64Encoded }) => ({ statusCode: 200, body, isBase64Encoded,
       headers: { "content-type": "image/png" } });`,
  );
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256));
  const answer = await send("/f/echo", {
    method: "POST",
    body: bytes,
    headers: { "content-type": "image/png" },
  });
  assert.deepEqual(answer.body, bytes);
});

test("HEAD and a status without a body have none", async () => {
  await deploy(
    "bare",
    `export default { fetch: ({ method, url }) => new Response(null, {
       status: Number(new URL(url).searchParams.get("status")), headers: { "x-method": method } }) };`,
  );
  const head = await send("/f/mirror", { method: "HEAD" });
  assert.deepEqual([head.statusCode, head.body.length], [201, 0]);
  for (const status of [204, 304]) {
    const answer = await send(`/f/bare?status=${status}`);
    assert.deepEqual([answer.statusCode, answer.body.length], [status, 0]);
  }
  assert.equal((await send("/f/bare?status=204", { method: "HEAD" })).headers["x-method"], "HEAD");
});

test("a function that is not public is refused with permission_denied and does not run", async () => {
  await deploy("hidden", "export const handler = () => 1;", { http: {} });
  const problem = await problemIn(await server.fetch("/f/hidden/a"));
  assert.deepEqual([problem.status, problem.code], [403, "permission_denied"]);
  assert.deepEqual((await server.client.invocations({ function: "hidden" })).items, []);
  assert.deepEqual((await server.client.getFunction("hidden")).http, { public: false });
});

test("a function that is not there is not found", async () => {
  for (const path of ["/f/nobody", "/f/nobody/a", "/f/mirror:99", "/f/%ff", "/f/a b"]) {
    const problem = await problemIn(await server.fetch(path));
    assert.equal(problem.code, "not_found", path);
  }
});

test("a command function cannot be public", async () => {
  const response = await server.fetch("/v1/functions/cat", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ runtime: "command", command: ["cat"], http: { public: true } }),
  });
  const problem = await problemIn(response);
  assert.equal(problem.code, "invalid_argument");
  assert.match(problem.detail, /http: a command function takes no HTTP requests/);
});

test("a body over its bound is refused", async () => {
  const { statusCode } = await send("/f/mirror", {
    method: "POST",
    body: Buffer.alloc(maxEventBytes + 1),
  });
  assert.equal(statusCode, 413);
});

const failures: [string, string, RegExp][] = [
  ["throws", `throw new Error("the password is x");`, /^the password is x$/],
  ["exits", "process.exit(9);", /exited with code 9/],
];
for (const [what, body, recorded] of failures) {
  test(`a handler that ${what} is a 502 that tells its caller nothing of its inside`, async () => {
    await deploy("broken", `export const handler = () => { ${body} };`);
    const problem = await problemIn(await server.fetch("/f/broken"));
    const { invocationId = "", ...told } = problem;
    assert.deepEqual(told, {
      type: "about:blank",
      title: "The function failed",
      status: 502,
      code: "function_error",
      detail: "Cannot answer: the invocation failed. See its record",
    });
    assert.match((await server.client.invocation(invocationId)).error?.message ?? "", recorded);
  });
}

test("a handler that runs into its timeout is a 504, and one without room a 429", async () => {
  await deploy(
    "slow",
    "export const handler = () => new Promise(() => setInterval(() => {}, 1e3));",
    {
      timeoutMs: 2_000,
      concurrency: 1,
    },
  );
  const late = server.fetch("/f/slow");
  await runningInvocation(server.client, "slow");
  const refused = await server.fetch("/f/slow");
  const { code } = await problemIn(refused);
  assert.deepEqual(
    [refused.status, code, refused.headers.get("retry-after")],
    [429, "resource_exhausted", "1"],
  );
  const problem = await problemIn(await late);
  assert.deepEqual([problem.status, problem.code], [504, "function_timeout"]);
});
