import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { problemIn } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
  const source = `export const handler = ({ lines, fails }) => {
    for (let line = 0; line < lines; line++) console.log("line", line);
    console.error("last words");
    if (fails) throw new Error("no");
    return "done";
  };`;
  await server.client.deploy("talks", { runtime: "node", isolation: "reuse", code: { source } });
  const command = ["sh", "-c", "echo answer; echo complaint >&2; exit $(cat)"];
  await server.client.deploy("program", { runtime: "command", command });
});
after(async () => await server[Symbol.asyncDispose]());

async function call(name: string, body: string, log?: string): Promise<Response> {
  return await server.fetch(`/v1/functions/${name}/invocations`, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      ...(log !== undefined && { "runlet-log": log }),
    },
  });
}

function tailIn(response: Response): string {
  return Buffer.from(response.headers.get("runlet-log-tail") ?? "", "base64").toString();
}

test("the end of the output comes with the answer where it is asked for", async () => {
  const response = await call("talks", '{"lines":2}', "tail");
  assert.equal(await response.text(), "done");
  assert.equal(tailIn(response), "line 0\nline 1\nlast words\n");
});

test("only the last 4 KiB come, and only of this invocation", async () => {
  const response = await call("talks", '{"lines":2000}', "tail");
  const tail = tailIn(response);
  assert.equal(tail.length, 4096);
  assert.match(tail, /line 1998\nline 1999\nlast words\n$/);
  const next = await call("talks", '{"lines":0}', "tail");
  assert.equal(tailIn(next), "last words\n");
});

test("a failure comes with the end of the output too", async () => {
  const response = await call("talks", '{"lines":1,"fails":true}', "tail");
  assert.equal((await problemIn(response)).code, "function_error");
  assert.equal(tailIn(response), "line 0\nlast words\n");
});

test("a program's output comes, whether it succeeds or fails", async () => {
  for (const [code, status] of [
    ["0", 200],
    ["3", 502],
  ] as const) {
    const response = await call("program", code, "tail");
    assert.equal(response.status, status);
    const lines = tailIn(response).trimEnd().split("\n");
    assert.deepEqual(lines.toSorted(), ["answer", "complaint"]);
  }
});

test("without being asked for, no output comes", async () => {
  for (const log of [undefined, "none"]) {
    const response = await call("talks", '{"lines":1}', log);
    assert.equal(response.status, 200);
    assert.equal(response.headers.has("runlet-log-tail"), false);
  }
});

test("another word than none and tail is refused", async () => {
  const problem = await problemIn(await call("talks", "{}", "all"));
  assert.equal(problem.code, "invalid_argument");
  assert.match(problem.detail, /Runlet-Log is "all"; expected none or tail/);
});
