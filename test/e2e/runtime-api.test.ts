import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Invocation } from "../../api/schema/invocation.ts";
import { poll } from "../../runtime/deadline.ts";
import { pythonBootstrap } from "../support/bootstrap.ts";
import { call } from "../support/call.ts";
import { problemIn } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
});
after(async () => await server[Symbol.asyncDispose]());

/** Has a program make a call in the middle of an invocation; answers its status and the type of its error. */
async function tried(calls: string): Promise<unknown> {
  const body = `
tried = ${calls}
respond(id, json.dumps([tried[0], json.loads(tried[2] or "{}").get("errorType")]))`;
  const source = pythonBootstrap(body);
  await server.client.deploy("f", { runtime: "provided", code: { source } });
  return await (await call(server, "f")).json();
}

const refusals: { what: string; calls: string; is: [number, string] }[] = [
  {
    what: "an answer to an unknown invocation",
    calls: 'respond("00000000-0000-0000-0000-000000000000", "x")',
    is: [400, "InvalidRequestID"],
  },
  {
    what: "an error of an unknown invocation",
    calls: 'fail("x", "{}")',
    is: [400, "InvalidRequestID"],
  },
  {
    what: "an answer in an unknown mode",
    calls: 'respond(id, "x", {"Lambda-Runtime-Function-Response-Mode": "telepathic"})',
    is: [400, "InvalidFunctionResponseMode"],
  },
  {
    what: "a question for the next event before the answer",
    calls: 'call("GET", "/runtime/invocation/next")',
    is: [403, "InvalidStateTransition"],
  },
  {
    what: "an error of the start after it",
    calls: 'call("POST", "/runtime/init/error", "{}")',
    is: [403, "InvalidStateTransition"],
  },
  { what: "another path", calls: 'call("GET", "/runtime/restore/next")', is: [404, "NotFound"] },
  {
    what: "another method",
    calls: 'call("PUT", "/runtime/invocation/next")',
    is: [404, "NotFound"],
  },
];

for (const { what, calls, is } of refusals) {
  test(`the Runtime API refuses ${what} with ${is.join(" ")}, and the invocation goes on`, async () => {
    assert.deepEqual(await tried(calls), is);
  });
}

test("the Runtime API takes one answer and refuses a second with 403", async () => {
  const source = pythonBootstrap(`
first = respond(id, '"first"')
second = respond(id, '"second"')
late = fail(id, "{}")
print(first[0], first[2].decode(), second[0], late[0], flush=True)`);
  await server.client.deploy("f", { runtime: "provided", code: { source } });
  const response = await call(server, "f");
  assert.equal(await response.json(), "first");
  const { stdout } = await server.client.invocation(
    response.headers.get("runlet-invocation-id") ?? "",
  );
  assert.equal(stdout, '202 {"status":"OK"} 403 403\n');
});

test("an answer over the bound is refused with 413 and fails the invocation", async () => {
  const source = pythonBootstrap(`print(respond(id, b"x" * (64 * 2**20 + 1))[0], flush=True)`);
  const memoryBytes = 1024 * 1024 * 1024;
  await server.client.deploy("f", { runtime: "provided", code: { source }, memoryBytes });
  const problem = await problemIn(await call(server, "f"));
  assert.equal(problem.functionError?.name, "AnswerTooLarge");
  const { stdout } = await server.client.invocation(problem.invocationId ?? "");
  assert.equal(stdout, "413\n");
});

test("a program that sends what is no HTTP, or half an answer, harms no invocation", async () => {
  const source = pythonBootstrap(
    `
import socket
for text in [b"\\0\\xff" * 5000, b"GET / HTTP/9\\r\\n\\r\\n", f"POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 9\\r\\n\\r\\nhalf".encode()]:
    other = socket.create_connection((api.host, api.port))
    other.sendall(text)
    other.close()
respond(id, json.dumps(call("GET", "/ping")[2].decode()))`,
  );
  await server.client.deploy("f", { runtime: "provided", code: { source } });
  assert.equal(await (await call(server, "f")).json(), "pong");
});

test("an HTTP answer with a prelude has its own status, headers and cookies", async () => {
  const type = "application/vnd.awslambda.http-integration-response";
  const prelude = `{"statusCode": 418, "headers": {"X-Own": "1", "Content-Type": "text/x-tea"}, "cookies": ["a=1", "b=2"]}`;
  const source = pythonBootstrap(
    `respond(id, b'${prelude}' + bytes(8) + b"tea", {"Content-Type": "${type}", "Lambda-Runtime-Function-Response-Mode": "streaming"})`,
  );
  await server.client.deploy("f", { runtime: "provided", code: { source } });
  const response = await call(server, "f");
  assert.equal(response.status, 418);
  assert.equal(response.headers.get("x-own"), "1");
  assert.equal(response.headers.get("content-type"), "text/x-tea");
  assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal(await response.text(), "tea");
});

test("an invocation takes a provided container from stock, and the program starts in it", async () => {
  const code = { source: pythonBootstrap("respond(id, event)") };
  await server.client.deploy("f", { runtime: "provided", code });
  const probe = async (): Promise<true | undefined> => {
    const { start, body } = await server.client.invoke("f", { event: '{"n":1}' });
    assert.equal(Buffer.from(body).toString(), '{"n":1}');
    return start === "pooled" ? true : undefined;
  };
  await poll("see one from stock", probe, { timeoutMs: 60_000 });
});

/** Python that writes a streamed answer piece by piece: `begin(id)`, `piece(text)`, `end(trailers)`. */
const streaming = `
def begin(id, type="text/plain"):
    api.putrequest("POST", f"/2018-06-01/runtime/invocation/{id}/response")
    for header in [("Lambda-Runtime-Function-Response-Mode", "streaming"), ("Content-Type", type), ("Transfer-Encoding", "chunked"), ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")]:
        api.putheader(*header)
    api.endheaders()
def piece(text):
    api.send(f"{len(text):x}\\r\\n{text}\\r\\n".encode())
def end(error=None):
    trailers = "" if error is None else f"Lambda-Runtime-Function-Error-Type: Function.Late\\r\\nLambda-Runtime-Function-Error-Body: {base64.b64encode(json.dumps(error).encode()).decode()}\\r\\n"
    api.send(f"0\\r\\n{trailers}\\r\\n".encode())
    api.getresponse().read()
`;

async function streamOf(body: string): Promise<Response> {
  const source = pythonBootstrap(body, streaming);
  await server.client.deploy("f", { runtime: "provided", code: { source } });
  return await call(server, "f");
}

test("a streamed answer reaches the caller while the program still writes it", async () => {
  const response = await streamOf(
    `begin(id); piece("first"); time.sleep(1.5); piece("last"); end()`,
  );
  assert.equal(response.headers.get("content-type"), "text/plain");
  const seenAtMs: number[] = [];
  let text = "";
  for await (const chunk of response.body ?? []) {
    seenAtMs.push(performance.now());
    text += Buffer.from(chunk as Uint8Array).toString();
  }
  assert.equal(text, "firstlast");
  assert.ok((seenAtMs.at(-1) ?? 0) - (seenAtMs[0] ?? 0) > 700, String(seenAtMs));
});

test("a stream of many megabytes passes whole", async () => {
  const response = await streamOf(
    `begin(id)\nfor n in range(160): piece(f"{n:04}" * 16384)\nend()`,
  );
  const text = await response.text();
  assert.equal(text.length, 160 * 65_536);
  assert.ok(text.startsWith("0000") && text.endsWith("0159"));
});

const breaks: { what: string; body: string; name: string }[] = [
  {
    what: "trailers report a failure",
    body: `end({"errorType": "Late", "errorMessage": "in the middle"})`,
    name: "Late",
  },
  {
    what: "program breaks it off",
    body: "api.close(); call('GET', '/runtime/invocation/next')",
    name: "TruncatedAnswer",
  },
];

for (const { what, body, name } of breaks) {
  test(`a stream whose ${what} is broken off, and its invocation failed`, async () => {
    const response = await streamOf(`begin(id); piece("half"); time.sleep(0.5); ${body}`);
    await assert.rejects(response.text(), { message: "terminated" });
    const id = response.headers.get("runlet-invocation-id") ?? "";
    const probe = async (): Promise<Invocation | undefined> => {
      const record = await server.client.invocation(id);
      return record.status === "running" ? undefined : record;
    };
    const { status, error } = await poll("see its end", probe, { timeoutMs: 30_000 });
    assert.deepEqual([status, error?.name], ["failed", name]);
  });
}

test("a prelude with a status that no body may follow ends the answer there", async () => {
  const type = "application/vnd.awslambda.http-integration-response";
  const response = await streamOf(
    `begin(id, "${type}"); piece('{"statusCode": 204}' + chr(0) * 8 + "lost"); end()`,
  );
  assert.equal(response.status, 204);
});

test("a prelude that does not end is an error", async () => {
  const type = "application/vnd.awslambda.http-integration-response";
  const problem = await problemIn(await streamOf(`begin(id, "${type}"); piece("{}"); end()`));
  assert.equal(problem.functionError?.name, "InvalidPrelude");
});

const counting = `
handle.calls = getattr(handle, "calls", 0) + 1
respond(id, str(handle.calls))`;

test("reuse keeps the program for the next event, and fresh never does", async () => {
  const code = { source: pythonBootstrap(counting) };
  for (const [isolation, seen] of [
    ["reuse", ["1", "2", "3"]],
    ["fresh", ["1", "1", "1"]],
  ] as const) {
    await server.client.deploy("f", { runtime: "provided", code, isolation });
    for (const text of seen) assert.equal(await (await call(server, "f")).text(), text);
  }
});
