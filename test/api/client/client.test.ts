import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { ApiError, Client } from "../../../api/client/client.ts";
import { poll } from "../../../runtime/deadline.ts";
import { tarOf } from "../../runtime/image/archives.ts";
import { problemOf } from "../../support/problem.ts";
import { startTestServer } from "../../support/server.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url } = server;
const client = new Client({ url: `${url}/` });
const source = "export const handler = (event) => event;";
const image = `client-${process.pid}`;
const nobody = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";

test("a function is deployed, listed, shown, invoked, on record and deleted", async () => {
  const { version, created } = await client.deploy("echo", { runtime: "node", code: { source } });
  assert.deepEqual([version.name, version.version, created], ["echo", 1, true]);
  const again = await client.deploy("echo", { runtime: "node", code: { source } });
  assert.deepEqual(again, { version, created: false });
  assert.deepEqual(await client.functions(), { items: [version] });
  assert.deepEqual(await client.getFunction("echo"), version);
  assert.deepEqual(await client.getFunction("echo", 1), version);

  const answer = await client.invoke("echo", { event: "[1]", qualifier: "1" });
  assert.deepEqual([answer.status, Buffer.from(answer.body).toString()], [200, "[1]"]);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.match(answer.start, /^(?:cold|pooled|warm)$/);
  const bytes = await client.invoke("echo", {
    event: new Uint8Array([0, 255]),
    contentType: "application/octet-stream",
  });
  assert.deepEqual([...bytes.body], [0, 255]);
  assert.equal(Buffer.from((await client.invoke("echo")).body).toString(), "{}");

  const { id, status } = await client.invocation(answer.invocationId);
  assert.deepEqual([id, status], [answer.invocationId, "succeeded"]);
  const page = await client.invocations({ function: "echo", limit: 2 });
  assert.equal(page.items.length, 2);
  const rest = await client.invocations({ function: "echo", before: page.next });
  assert.deepEqual(
    rest.items.map((item) => item.id),
    [answer.invocationId],
  );

  await client.removeFunction("echo");
  assert.deepEqual(await client.functions(), { items: [] });
});

test("a snippet is executed, however it ends", async () => {
  const code = { source: "cat; echo err >&2; exit 3" };
  const result = await client.execute({ runtime: "bash", code, stdin: "in" });
  const { exitCode, exitReason, stdout, stderr } = result;
  assert.deepEqual([exitCode, exitReason, stdout, stderr], [3, "exited", "in", "err\n"]);
});

test("a running invocation is cancelled", async () => {
  await client.deploy("sleeper", { runtime: "command", command: ["sleep", "600"] });
  const invoked = problemOf(client.invoke("sleeper"));
  const id = await poll("see it run", runningId, { timeoutMs: 30_000 });
  assert.equal((await client.cancel(id)).status, "cancelled");
  const { code, invocationId } = await invoked;
  assert.deepEqual([code, invocationId], ["cancelled", id]);
});

test("an abort of the call's or the client's signal ends the invocation and throws its reason", async () => {
  await client.deploy("sleeper", { runtime: "command", command: ["sleep", "600"] });
  for (const isCall of [true, false]) {
    const abort = new AbortController();
    const { signal } = abort;
    const own = new Client({ url, signal: isCall ? undefined : signal });
    const invoked = own.invoke("sleeper", { signal: isCall ? signal : undefined });
    const id = await poll("see it run", runningId, { timeoutMs: 30_000 });
    const reason = new Error("enough");
    abort.abort(reason);
    await assert.rejects(invoked, reason);
    const probe = async (): Promise<true | undefined> =>
      (await client.invocation(id)).status === "cancelled" || undefined;
    await poll("see it cancelled", probe, { timeoutMs: 30_000 });
    await assert.rejects(own.invoke("sleeper", { signal }), reason);
  }
});

test("an image is uploaded with progress, listed and removed", async () => {
  const phases: string[] = [];
  const archive = chunksOf(tarOf([{ path: "a", content: "a" }]));
  const added = await client.addImage(image, archive, ({ phase }) => phases.push(phase));
  try {
    assert.equal(added.name, image);
    assert.equal(phases[0], "received");
    assert.deepEqual(
      (await client.images()).items.find((each) => each.name === image),
      added,
    );
  } finally {
    await client.removeImage(image);
  }
  assert.ok((await client.images()).items.every((each) => each.name !== image));
});

const refused: { what: string; code: string; call: () => Promise<unknown> }[] = [
  { what: "invoke", code: "not_found", call: () => client.invoke("nobody") },
  { what: "getFunction", code: "not_found", call: () => client.getFunction("nobody") },
  { what: "removeFunction", code: "not_found", call: () => client.removeFunction("nobody") },
  { what: "invocation", code: "not_found", call: () => client.invocation(nobody) },
  { what: "cancel", code: "not_found", call: () => client.cancel(nobody) },
  { what: "removeImage", code: "not_found", call: () => client.removeImage("nobody") },
  { what: "functions", code: "invalid_argument", call: () => client.functions({ limit: 0 }) },
  {
    what: "invocations",
    code: "invalid_argument",
    call: () => client.invocations({ traceId: "x" }),
  },
  { what: "deploy", code: "invalid_argument", call: () => client.deploy("a", { runtime: "node" }) },
  { what: "execute", code: "invalid_argument", call: () => client.execute({ runtime: "node" }) },
  {
    what: "addImage",
    code: "invalid_argument",
    call: () => client.addImage(image, chunksOf(Buffer.alloc(5000, "junk"))),
  },
  {
    what: "a name that is a path",
    code: "invalid_argument",
    call: () => client.getFunction("a/../../b"),
  },
];

for (const { what, code, call } of refused) {
  test(`${what} that is refused throws ApiError with ${code}`, async () => {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof ApiError, String(error));
      assert.equal(error.code, code);
      assert.equal(error.problem.code, code);
      assert.equal(error.message, error.problem.detail);
      return true;
    });
  });
}

test("a function's own answer is no refusal, whatever its status and type", async () => {
  const own = `export default { fetch: () => new Response('{"mine":true}', {
    status: 418, headers: { "content-type": "application/problem+json", "x-a": "b" } }) };`;
  await client.deploy("teapot", { runtime: "node", code: { source: own } });
  const answer = await client.invoke("teapot");
  assert.deepEqual([answer.status, Buffer.from(answer.body).toString()], [418, '{"mine":true}']);
  assert.equal(answer.headers.get("x-a"), "b");
});

test("an answer without a body is one", async () => {
  const own = "export default { fetch: () => new Response(null, { status: 204 }) };";
  await client.deploy("nothing", { runtime: "node", code: { source: own } });
  const answer = await client.invoke("nothing");
  assert.deepEqual([answer.status, answer.body.length], [204, 0]);
});

const foreign: { what: string; listener: RequestListener; says: RegExp }[] = [
  { what: "answers HTML", listener: (_in, out) => out.end("<html>"), says: /is no Runlet/ },
  {
    what: "answers with an error of its own",
    listener: (_in, out) => out.writeHead(500).end("oops"),
    says: /\(status 500\) is no Runlet/,
  },
  {
    what: "hangs up",
    listener: (_in, out) => out.destroy(),
    says: /Cannot get an answer from Runlet/,
  },
  {
    what: "ends in the middle of its answer",
    listener: (_in, out) => {
      out.writeHead(200, { "content-length": "100" });
      out.write('{"items"', () => out.destroy());
    },
    says: /it ended early/,
  },
];

for (const { what, listener, says } of foreign) {
  test(`a server that ${what} is a ConnectionError`, async () => {
    const other = createServer(listener).listen(0, "127.0.0.1");
    await once(other, "listening");
    try {
      const { port } = other.address() as AddressInfo;
      const stranger = new Client({ url: `http://127.0.0.1:${port}` });
      await assert.rejects(stranger.functions(), { name: "ConnectionError", message: says });
    } finally {
      other.close();
      other.closeAllConnections();
    }
  });
}

test("a body that fails is told as it failed, and not as an answer that is missing", async () => {
  const failure = new Error("this file cannot be read");
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(100_000);
    throw failure;
  };
  await assert.rejects(server.client.addImage("broken", body()), failure);
});

test("no server is a ConnectionError, with any method", async () => {
  const alone = new Client({ url: "http://127.0.0.1:1" });
  const calls = [
    () => alone.functions(),
    () => alone.invoke("a"),
    () => alone.execute({ runtime: "bash", code: { source: "true" } }),
    () => alone.addImage("a", chunksOf(Buffer.from("a"))),
    () => alone.removeImage("a"),
  ];
  for (const call of calls) {
    await assert.rejects(call, {
      name: "ConnectionError",
      code: "unreachable",
      message: /nothing listens/,
    });
  }
});

for (const bad of ["", "127.0.0.1:7070", "ftp://127.0.0.1"]) {
  test(`"${bad}" is no URL of a server`, () => {
    assert.throws(() => new Client({ url: bad }), {
      name: "ConnectionError",
      message: /it is no URL/,
    });
  });
}

async function runningId(): Promise<string | undefined> {
  return (await client.invocations({ status: "running" })).items[0]?.id;
}

async function* chunksOf(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content.subarray(0, 700);
  yield content.subarray(700);
}
