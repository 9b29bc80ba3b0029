import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { problemIn } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

const streamed = `export const handler = ({ pieces, fails, headers = {} }) => {
  const body = async function* () {
    console.log("begun");
    for (let piece = 0; piece < pieces; piece++) {
      yield "piece ";
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    console.error("last words");
    if (fails) throw new Error("no");
  };
  return new Response(ReadableStream.from(body()), { headers });
};`;

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
  const code = { source: streamed };
  await server.client.deploy("streams", { runtime: "node", isolation: "reuse", code });
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

interface Streamed {
  readonly message: IncomingMessage;
  readonly body: string;
  /** The tail as its trailer has it. */
  readonly tail: string | undefined;
}

/** Calls the function that streams; fetch shows no trailers. */
async function stream(event: object, log?: string): Promise<Streamed> {
  const headers = {
    "content-type": "application/json",
    ...(log !== undefined && { "runlet-log": log }),
  };
  const sent = request(`${server.url}/v1/functions/streams/invocations`, {
    method: "POST",
    headers,
  });
  sent.end(JSON.stringify(event));
  const [message] = (await once(sent, "response")) as [IncomingMessage];
  const body = await text(message);
  const encoded = message.trailers["runlet-log-tail"];
  return { message, body, tail: encoded && Buffer.from(encoded, "base64").toString() };
}

for (const pieces of [1, 5]) {
  test(`the tail comes after a streamed answer of ${pieces} pieces, as the head announces`, async () => {
    const { message, body, tail } = await stream({ pieces }, "tail");
    assert.equal(body, "piece ".repeat(pieces));
    assert.equal(tail, "begun\nlast words\n");
    const { trailer, "runlet-log-tail": inHead } = message.headers;
    assert.deepEqual([trailer, inHead], ["Runlet-Log-Tail", undefined]);
  });
}

test("no tail comes with a streamed answer that none was asked of", async () => {
  const { message, tail } = await stream({ pieces: 2 });
  assert.deepEqual([tail, message.headers.trailer], [undefined, undefined]);
});

test("a stream that fails in its middle is broken off without a tail", async () => {
  await assert.rejects(stream({ pieces: 2, fails: true }, "tail"), { code: "ECONNRESET" });
});

test("a caller of HTTP/1.0 gets the stream, and no tail", async () => {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  const event = '{"pieces":2}';
  const head = [
    "POST /v1/functions/streams/invocations HTTP/1.0",
    "Host: 127.0.0.1",
    "Runlet-Log: tail",
    "Content-Type: application/json",
    `Content-Length: ${event.length}`,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n${event}`);
  const [received = "", body] = (await text(socket)).split("\r\n\r\n");
  assert.equal(body, "piece piece ");
  assert.doesNotMatch(received, /trailer|transfer-encoding|log-tail/i);
});

test("a function says nothing in Runlet's own name", async () => {
  const headers = { "runlet-log-tail": "bGll", "runlet-truncated": "true", "x-own": "1" };
  const { message } = await stream({ pieces: 1, headers });
  const { "runlet-log-tail": tail, "runlet-truncated": truncated } = message.headers;
  assert.deepEqual([tail, truncated, message.headers["x-own"]], [undefined, undefined, "1"]);
});

test("the client hands over the tail of either kind of answer", async () => {
  for (const [name, event, expected] of [
    ["talks", '{"lines":1}', "line 0\nlast words\n"],
    ["streams", '{"pieces":1}', "begun\nlast words\n"],
    ["streams", '{"pieces":0}', "begun\nlast words\n"],
  ] as const) {
    const { logTail } = await server.client.invoke(name, { event, log: "tail" });
    assert.equal(Buffer.from(logTail ?? "").toString(), expected);
  }
});
