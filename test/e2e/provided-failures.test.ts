import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Problem } from "../../api/schema/problem.ts";
import { pythonBootstrap } from "../support/bootstrap.ts";
import { call } from "../support/call.ts";
import { problemIn, problemOf } from "../support/problem.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

async function deploy(source: string, isolation: "fresh" | "reuse" = "fresh"): Promise<void> {
  await server.client.deploy("f", { runtime: "provided", code: { source }, isolation });
}

async function failureOf(body: string): Promise<Problem> {
  await deploy(pythonBootstrap(body));
  return await problemIn(await call(server, "f"));
}

async function refusalOf(source: string, mode = 0o755): Promise<Problem> {
  const file = { path: "bootstrap", content: source, executable: mode === 0o755 };
  return await problemOf(
    server.client.deploy("broken", { runtime: "provided", code: { files: [file] } }),
  );
}

const reports: { what: string; call: string; name: string; message: string; stack?: string }[] = [
  {
    what: "with the body's type, message and trace",
    call: `fail(id, json.dumps({"errorType": "ValueError", "errorMessage": "no", "stackTrace": ["a", "b"]}))`,
    name: "ValueError",
    message: "no",
    stack: "a\nb",
  },
  {
    what: "with the header's type, where the body has none",
    call: `fail(id, '{"errorMessage": "no"}', {"Lambda-Runtime-Function-Error-Type": "Function.NoSuchThing"})`,
    name: "Function.NoSuchThing",
    message: "no",
  },
  {
    what: "without a header's type that is not of Lambda's form",
    call: `fail(id, '{"errorMessage": "no"}', {"Lambda-Runtime-Function-Error-Type": "<script>"})`,
    name: "Function.Unknown",
    message: "no",
  },
  {
    what: "with whatever it sent, where that is not JSON",
    call: `fail(id, b"garbage \\xff [1")`,
    name: "Function.Unknown",
    message: "garbage \ufffd [1",
  },
  {
    what: "that comes instead of the first piece of a stream",
    call: `api.putrequest("POST", f"/2018-06-01/runtime/invocation/{id}/response")
for header in [("Lambda-Runtime-Function-Response-Mode", "streaming"), ("Transfer-Encoding", "chunked"), ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")]:
    api.putheader(*header)
api.endheaders()
trace = base64.b64encode(b'{"errorType": "Late", "errorMessage": "in the middle"}').decode()
api.send(f"0\\r\\nLambda-Runtime-Function-Error-Type: Runtime.Late\\r\\nLambda-Runtime-Function-Error-Body: {trace}\\r\\n\\r\\n".encode())
api.getresponse().read()`,
    name: "Late",
    message: "in the middle",
  },
];

for (const { what, call: source, name, message, stack } of reports) {
  test(`an error that the program reports is the invocation's, ${what}`, async () => {
    const problem = await failureOf(source);
    assert.deepEqual([problem.status, problem.code], [502, "function_error"]);
    assert.deepEqual(problem.functionError, { name, message, ...(stack && { stack }) });
  });
}

const ends: { how: string; body: string; exit: Problem["exit"]; says: RegExp }[] = [
  {
    how: "exits",
    body: "print('bye', flush=True); sys.exit(7)",
    exit: { code: 7, reason: "exited" },
    says: /exited with code 7/,
  },
  {
    how: "is killed",
    body: "os.kill(os.getpid(), signal.SIGKILL)",
    exit: { code: 137, signal: "SIGKILL", reason: "signaled" },
    says: /killed by SIGKILL/,
  },
];

for (const { how, body, exit, says } of ends) {
  test(`a program that ${how} in the middle of an invocation fails it and ends as its container does`, async () => {
    const problem = await failureOf(body);
    assert.deepEqual([problem.status, problem.code], [502, "function_error"]);
    assert.match(problem.detail, says);
    assert.deepEqual(problem.exit, exit);
  });
}

test("a program that exits once it has answered has answered, and the next event finds another", async () => {
  await deploy(pythonBootstrap("respond(id, event); sys.exit(3)"), "reuse");
  for (const body of ["1", "2", "3"]) {
    assert.equal(await (await call(server, "f", { body })).text(), body);
  }
});

test("a program that does not answer in time is ended with its container", async () => {
  await server.client.deploy("slow", {
    runtime: "provided",
    code: { source: pythonBootstrap("time.sleep(60)") },
    timeoutMs: 500,
  });
  const problem = await problemIn(await call(server, "slow"));
  assert.deepEqual([problem.status, problem.code], [504, "function_timeout"]);
});

test("code without a bootstrap, or with one that cannot be executed, is refused with what is missing", async () => {
  const plain = await refusalOf(pythonBootstrap("pass"), 0o644);
  assert.match(plain.detail, /Cannot start \/tmp\/task\/bootstrap: it is not executable/);
  const lost = await refusalOf("#!/no/such/interpreter\n");
  assert.match(lost.detail, /no such file, or the image lacks its interpreter/);
  const command = ["./absent"];
  const code = { source: pythonBootstrap("pass") };
  const absent = await problemOf(
    server.client.deploy("broken", { runtime: "provided", code, command }),
  );
  assert.match(absent.detail, /Cannot start \.\/absent: there is no such file/);
});

test("a program that reports an error of its start, or ends in it, is refused with that", async () => {
  const report = `{"errorType": "Config.Missing", "errorMessage": "no table"}`;
  const reported = await refusalOf(
    pythonBootstrap("pass", `call("POST", "/runtime/init/error", '${report}'); sys.exit(1)`),
  );
  assert.equal(reported.code, "invalid_argument");
  assert.match(reported.detail, /does not load. no table/);
  const ended = await refusalOf("#!/bin/sh\necho 'what went wrong' >&2\nexit 9\n");
  assert.match(ended.detail, /exited with code 9\nwhat went wrong/);
});

test("a program that never asks for an event is refused with that", async () => {
  const problem = await refusalOf("#!/bin/sh\nsleep 60\n");
  assert.equal(problem.code, "invalid_argument");
  assert.match(problem.detail, /did not ask for an event within 9000 ms: it has to send GET/);
});

test("a provided function with neither code nor a command is refused", async () => {
  const problem = await problemOf(server.client.deploy("broken", { runtime: "provided" }));
  assert.match(JSON.stringify(problem.issues), /needs code with a bootstrap, or a command/);
});
