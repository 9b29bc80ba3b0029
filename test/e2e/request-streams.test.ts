import assert from "node:assert/strict";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import type { InvocationDetail } from "../../api/schema/invocation.ts";
import { poll, within } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

const mebibyte = 1024 * 1024;
const maxEventBytes = 256 * 1024;
const maxStreamedRequestBytes = 4 * mebibyte;
const timeoutMs = 20_000;

let server: TestServer;
before(async () => {
  server = await startTestServer({
    overrides: { ...smallPool, maxEventBytes, maxStreamedRequestBytes },
  });
});
after(async () => await server[Symbol.asyncDispose]());

/** Does with its body what its path says. */
const reader = `export default { fetch(request) {
  const what = new URL(request.url).pathname.split("/").at(-1);
  return doers[what](request);
} };
const doers = {
  echo: (request) => new Response(request.body),
  ignore: () => new Response("early"),
  stay: () => new Promise(() => {}),
  async first(request) {
    const { value } = await request.body.getReader().read();
    return new Response("first of " + value.length);
  },
  async cancel(request) { await request.body.cancel(); return new Response("cancelled"); },
  async count(request) { return new Response(String(await bytesOf(request))); },
  tell: (request) => new Response(told(request)),
  async form(request) { return Response.json([...(await request.formData()).keys()]); },
  async slow(request) {
    let bytes = 0;
    for await (const chunk of request.body) {
      bytes += chunk.length;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return new Response(String(bytes));
  },
};
async function bytesOf(request) {
  let bytes = 0;
  for await (const chunk of request.body) bytes += chunk.length;
  return bytes;
}
async function* told(request) {
  yield "begun";
  try {
    yield String(await bytesOf(request));
  } catch (error) {
    console.log(error.name + ": " + error.message);
    if (request.headers.has("x-stubborn")) await new Promise(() => {});
  }
}`;

async function deploy(
  client: Client,
  name: string,
  more: Partial<FunctionSpecInput> = {},
): Promise<void> {
  await client.deploy(name, {
    runtime: "node",
    code: { source: reader },
    isolation: "reuse",
    http: { public: true },
    ...more,
  });
}

interface Upload {
  readonly request: ClientRequest;
  readonly response: Promise<IncomingMessage>;
}

/** Begins a request whose body is for the test to write. */
function upload(path: string, headers: Record<string, string> = {}, url = server.url): Upload {
  const { promise: response, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const keep = { connection: "keep-alive", ...headers };
  const request = httpRequest(url + path, { method: "POST", agent: false, headers: keep }, resolve);
  request.on("error", reject).flushHeaders();
  response.catch(() => undefined);
  return { request, response };
}

async function answerOf({ response }: Upload): Promise<{ status: number; text: string }> {
  const message = await within(response, "be answered", timeoutMs);
  return { status: message.statusCode ?? 0, text: (await buffer(message)).toString() };
}

/** Sends a body in one go, its length not told before. */
async function sent(
  path: string,
  body: Uint8Array | string,
): Promise<{ status: number; text: string }> {
  const posted = upload(path);
  posted.request.end(body);
  return await answerOf(posted);
}

/** Reads an answer piece by piece. */
async function piecesOf({ response }: Upload): Promise<() => Promise<string>> {
  const message = await within(response, "be answered", timeoutMs);
  const pieces = message[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  return async () => {
    const { value, done } = await within(pieces.next(), "get a piece", timeoutMs);
    return done ? "" : value.toString();
  };
}

async function lastOf(name: string): Promise<InvocationDetail> {
  const { id } = await poll(
    `see ${name} end`,
    async () => {
      const [last] = (await server.client.invocations({ function: name })).items;
      return last === undefined || last.status === "running" ? undefined : last;
    },
    { timeoutMs },
  );
  return await server.client.invocation(id);
}

test("a function has each piece of a body before its caller sends the next, and answers it meanwhile", async () => {
  await deploy(server.client, "echo");
  const duplex = upload("/f/echo/echo");
  duplex.request.write("one");
  const next = await piecesOf(duplex);
  assert.equal(await next(), "one");
  duplex.request.write("two");
  assert.equal(await next(), "two");
  duplex.request.end("three");
  assert.equal(await next(), "three");
  assert.equal(await next(), "");
  const record = await lastOf("echo");
  assert.deepEqual([record.status, record.eventBytes, record.answerBytes], ["succeeded", 11, 11]);
});

test("a body of known length that is large is streamed as well", async () => {
  const duplex = upload("/f/echo/echo", { "content-length": String(mebibyte) });
  duplex.request.write("begin");
  const next = await piecesOf(duplex);
  assert.equal(await next(), "begin");
  duplex.request.end(Buffer.alloc(mebibyte - 5));
  let bytes = 5;
  for (let piece = await next(); piece !== ""; piece = await next()) bytes += piece.length;
  assert.equal(bytes, mebibyte);
});

test("what a Request can be read as, it can be read as from a stream", async () => {
  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(200_000)]));
  const response = await server.fetch("/f/echo/form", { method: "POST", body: form });
  assert.deepEqual(await response.json(), ["file"]);
  const large = Buffer.alloc(3 * mebibyte, "é");
  assert.ok(Buffer.from((await sent("/f/echo/echo", large)).text).equals(large));
});

test("bodies that are streamed and bodies that are not take turns in one container", async () => {
  await deploy(server.client, "turns");
  const containers = new Set<string | undefined>();
  for (const body of ["", "small", Buffer.alloc(mebibyte), "small"]) {
    assert.equal((await sent("/f/turns/count", body)).text, String(body.length));
    const whole = await server.fetch("/f/turns/count", { method: "POST", body: "whole" });
    assert.equal(await whole.text(), "5");
    containers.add((await lastOf("turns")).containerId);
  }
  assert.equal(containers.size, 1);
});

for (const what of ["ignore", "first", "cancel"]) {
  test(`a function that answers before its body's end (${what}) is over then, and serves on`, async () => {
    const name = `early-${what}`;
    await deploy(server.client, name);
    const early = upload(`/f/${name}/${what}`);
    early.request.on("error", () => undefined).write("a piece");
    const { status, text } = await answerOf(early);
    assert.equal(status, 200);
    assert.match(text, /early|first of 7|cancelled/);
    const { containerId } = await lastOf(name);
    const isClosed = (): true | undefined => early.request.closed || undefined;
    await poll("see the connection closed, whose body has no end", isClosed, { timeoutMs });
    assert.equal((await sent(`/f/${name}/count`, "the next")).text, "8");
    assert.equal((await lastOf(name)).containerId, containerId);
  });
}

test("what is left of a body that nobody reads is taken, and the connection serves on", async () => {
  await deploy(server.client, "drained");
  for (let n = 0; n < 3; n++) {
    const body = new Uint8Array(3 * mebibyte);
    const response = await server.fetch("/f/drained/ignore", { method: "POST", body });
    assert.equal(await response.text(), "early");
  }
});

test("a caller who goes away in the middle of a body breaks it off, and the container is kept", async () => {
  await deploy(server.client, "left");
  const left = upload("/f/left/tell");
  left.request.write("a piece");
  const next = await piecesOf(left);
  assert.equal(await next(), "begun");
  left.request.on("error", () => undefined).destroy();
  const record = await lastOf("left");
  assert.deepEqual([record.status, record.error?.code], ["cancelled", "cancelled"]);
  assert.match(record.stdout, /^BrokenBody: Cannot read the body of the request/);
  assert.equal(record.exitReason, undefined);
  assert.equal((await sent("/f/left/count", "the next")).text, "8");
  assert.equal((await lastOf("left")).containerId, record.containerId);
});

test("a function that goes on after its body has broken off is ended", async () => {
  await deploy(server.client, "stubborn");
  const left = upload("/f/stubborn/tell", { "x-stubborn": "1" });
  left.request.write("a piece");
  const next = await piecesOf(left);
  assert.equal(await next(), "begun");
  left.request.on("error", () => undefined).destroy();
  const record = await lastOf("stubborn");
  assert.deepEqual([record.status, record.exitReason], ["cancelled", "cancelled"]);
  assert.match(record.stdout, /^BrokenBody/);
});

test("a caller who goes away from a function that has not asked for its body ends it at once", async () => {
  await deploy(server.client, "deaf");
  const left = upload("/f/deaf/stay");
  left.request.write("a piece");
  await poll(
    "see it run",
    async () => (await server.client.invocations({ function: "deaf", status: "running" })).items[0],
    { timeoutMs },
  );
  left.request.on("error", () => undefined).destroy();
  const record = await lastOf("deaf");
  assert.deepEqual([record.status, record.exitReason], ["cancelled", "cancelled"]);
});

test("a body that passes the bound in its middle is refused with 413, and the function is told", async () => {
  await deploy(server.client, "over");
  const over = upload("/f/over/count");
  over.request.on("error", () => undefined).end(Buffer.alloc(maxStreamedRequestBytes + 1));
  const { status, text } = await answerOf(over);
  assert.equal(status, 413);
  assert.match(text, /its body is larger than 4194304 bytes/);
  const record = await lastOf("over");
  assert.deepEqual([record.status, record.error?.code], ["failed", "payload_too_large"]);
  assert.equal((await sent("/f/over/count", "fits")).text, "4");
});

test("a body whose length says that it is over the bound is refused before anything runs", async () => {
  await deploy(server.client, "long");
  const length = String(maxStreamedRequestBytes + 1);
  const long = upload("/f/long/count", { "content-length": length });
  assert.equal((await answerOf(long)).status, 413);
  long.request.destroy();
  assert.deepEqual((await server.client.invocations({ function: "long" })).items, []);
});

test("a function's timeout bounds the time in which its body arrives", async () => {
  await deploy(server.client, "late", { timeoutMs: 500 });
  const late = upload("/f/late/count");
  late.request.on("error", () => undefined).write("a piece");
  assert.equal((await answerOf(late)).status, 504);
  assert.equal((await lastOf("late")).status, "timed_out");
});

/** Handlers of an event, which is a body as a whole. */
const whole: [string, Partial<FunctionSpecInput>][] = [
  ["node", { code: { source: "export const handler = ({ body = '' }) => String(body.length);" } }],
  [
    "python",
    {
      runtime: "python",
      code: {
        source: "def handler(event, context):\n    return str(len(event.get('body', '')))\n",
      },
    },
  ],
];
for (const [runtime, spec] of whole) {
  test(`an event-style ${runtime} handler gets a body as a whole, up to the bound of an event`, async () => {
    const name = `whole-${runtime}`;
    await deploy(server.client, name, spec);
    const containers = new Set<string | undefined>();
    for (let n = 0; n < 2; n++) {
      const posted = upload(`/f/${name}`, { "content-type": "text/plain" });
      posted.request.write("x".repeat(100_000));
      posted.request.end("x".repeat(100_000));
      assert.deepEqual(await answerOf(posted), { status: 200, text: "200000" });
      containers.add((await lastOf(name)).containerId);
      const over = upload(`/f/${name}`);
      over.request.on("error", () => undefined).end(Buffer.alloc(maxEventBytes + 1));
      assert.equal((await answerOf(over)).status, 413);
    }
    assert.equal(containers.size, 1, "a body that was refused costs no container");
  });
}

test("the first body over an event's bound is refused for an event-style handler that nobody called yet", async () => {
  await deploy(server.client, "unknown", whole[0]?.[1]);
  const over = upload("/f/unknown");
  over.request.on("error", () => undefined).end(Buffer.alloc(maxEventBytes + 1));
  const { status, text } = await answerOf(over);
  assert.equal(status, 413);
  assert.match(text, /its body is larger than 262144 bytes/);
});

test("180 MiB through a function that reads slowly cost the server bounded memory", async () => {
  await using child = await startChildServer();
  await deploy(child.client, "slow", { timeoutMs: 120_000 });
  const warm = upload("/f/slow/slow", {}, child.url);
  warm.request.end(Buffer.alloc(4 * mebibyte));
  assert.equal((await answerOf(warm)).text, String(4 * mebibyte));
  const baseBytes = child.memory().nowBytes;
  const large = upload("/f/slow/slow", {}, child.url);
  const piece = Buffer.alloc(mebibyte);
  for (let n = 0; n < 180; n++) {
    if (large.request.write(piece)) continue;
    const { promise, resolve } = Promise.withResolvers<void>();
    large.request.once("drain", resolve);
    await within(promise, "send more", 60_000);
  }
  large.request.end();
  const message = await within(large.response, "be answered", 60_000);
  assert.equal((await buffer(message)).toString(), String(180 * mebibyte));
  const growth = child.memory().peakBytes - baseBytes;
  assert.ok(growth < 90 * mebibyte, `the server grew by ${growth} bytes`);
});
