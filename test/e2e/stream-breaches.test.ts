import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import type { Invocation } from "../../api/schema/invocation.ts";
import { call } from "../support/call.ts";
import { problemIn } from "../support/problem.ts";
import { frozenSandboxesOf, sandboxPidsOf } from "../support/sandboxes.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
  await server.client.deploy("liar", {
    runtime: "node",
    isolation: "reuse",
    code: { source: liar },
  });
  await server.client.deploy("breaker", {
    runtime: "node",
    isolation: "reuse",
    timeoutMs: 1_500,
    code: { source: breaker },
  });
  await server.client.deploy("taker", {
    runtime: "node",
    isolation: "reuse",
    http: { public: true },
    code: { source: taker },
  });
});
after(async () => await server[Symbol.asyncDispose]());

/** Says on its channel whatever its event says, each with a body of so many bytes, past its runner. */
const liar = `import { writeSync } from "node:fs";
function say(header, bytes) {
  const text = Buffer.from(JSON.stringify(header));
  const frame = Buffer.alloc(8 + text.length + bytes, "x");
  frame.writeUInt32BE(4 + text.length + bytes, 0);
  frame.writeUInt32BE(text.length, 4);
  text.copy(frame, 8);
  for (let at = 0; at < frame.length;) {
    try { at += writeSync(3, frame, at); } catch (error) { if (error.code !== "EAGAIN") throw error; }
  }
}
export const handler = async ({ says = [], later }, { invocationId: id }) => {
  for (const [header, bytes = 0, times = 1] of says) {
    for (let n = 0; n < times; n++) say({ id, ...header }, bytes);
  }
  if (later) setTimeout(() => say({ id, ...later }, 5), 10);
  return "told the truth";
};`;

/** As the liar, of a body that it reads a piece of first, or not; what it says is in its query. */
const taker = `${liar.slice(0, liar.indexOf("export const handler"))}export default { async fetch(request, { invocationId: id }) {
  const { reads, says } = JSON.parse(new URL(request.url).searchParams.get("lie") ?? '{"says":[]}');
  if (reads) await request.body.getReader().read();
  for (const header of says) say({ id, ...header }, 0);
  return new Response("told the truth");
} };`;

/** Does to its channel what its event says; one that stops does so behind its answer. */
const breaker = `import { closeSync, writeSync } from "node:fs";
export const handler = async ({ does }) => {
  if (does === "close") closeSync(3);
  if (does === "boast") writeSync(3, Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2]));
  if (does === "babble") writeSync(3, "GET / HTTP/1.1\\r\\n");
  if (does === "stop") setImmediate(() => { for (;;); });
  if (does && does !== "stop") await new Promise((resolve) => setTimeout(resolve, 60_000));
  return "whole";
};`;

const start = [{ type: "start", contentType: "text/plain" }];

const result = { type: "result", contentType: "text/plain" };

/** The message that breaks the protocol before there is an answer. */
const early: [string, unknown[]][] = [
  ["a chunk without a start", [{ type: "chunk" }, 5]],
  ["an end without a start", [{ type: "end" }]],
  ["a start of another invocation", [{ ...(start[0] as object), id: "another" }]],
  ["credit for an event that is there", [{ type: "credit", bytes: 1 }]],
  ["a wish for the whole of an event that is there", [{ type: "whole" }]],
];
for (const [what, lie] of early) {
  test(`${what} is refused, and the guest destroyed`, async () => {
    const response = await call(server, "liar", { body: JSON.stringify({ says: [lie] }) });
    assert.equal((await problemIn(response)).code, "protocol_violation");
    await assertHonest();
  });
}

/** What breaks it in the middle of one. */
const late: [string, unknown[]][] = [
  ["a chunk of another invocation", [{ type: "chunk", id: "another" }, 5]],
  ["an empty chunk", [{ type: "chunk" }]],
  ["a chunk that is too long", [{ type: "chunk" }, 65_537]],
  ["a second start", start],
  ["a result", [{ type: "result", contentType: "text/plain" }]],
];
for (const [what, lie] of late) {
  test(`${what} in a stream breaks it off, and the guest is destroyed`, async () => {
    const body = JSON.stringify({ says: [start, [{ type: "chunk" }, 5], lie] });
    const response = await call(server, "liar", { body });
    await assert.rejects(response.text(), { message: "terminated" });
    const id = response.headers.get("runlet-invocation-id") ?? "";
    const record = await server.client.invocation(id);
    assert.deepEqual([record.status, record.error?.code], ["failed", "protocol_violation"]);
    await assertHonest();
  });
}

/** What breaks it by asking for more of a body than there is to ask for. */
const asked: [string, boolean, object[]][] = [
  ["negative credit", false, [{ type: "credit", bytes: -1 }]],
  ["credit for more than a window", false, [{ type: "credit", bytes: 262_145 }]],
  ["absurd credit", false, [{ type: "credit", bytes: 1e300 }]],
  ["credit that makes more than a window", true, [{ type: "credit", bytes: 262_144 }]],
  ["credit of another invocation", false, [{ type: "credit", id: "another", bytes: 1 }]],
  ["a wish for the whole of another invocation", false, [{ type: "whole", id: "another" }]],
  ["a wish for the whole after credit", true, [{ type: "whole" }]],
  ["a second wish for the whole", false, [{ type: "whole" }, { type: "whole" }]],
  ["credit after a wish for the whole", false, [{ type: "whole" }, { type: "credit", bytes: 1 }]],
];
for (const [what, reads, says] of asked) {
  test(`${what} is refused, and the guest destroyed`, async () => {
    const response = await take({ reads, says });
    assert.equal((await problemIn(response)).code, "protocol_violation");
    assert.equal(await (await take()).text(), "told the truth");
  });
}

test("credit after an answer costs the next caller nothing, and the guest is destroyed", async () => {
  const response = await take({ reads: true, says: [result, { type: "credit", bytes: 1 }] });
  assert.equal(await response.text(), "");
  const container = await containerOf(response);
  // What is left alone for so long that it is frozen has said it.
  await frozenOrGone(container);
  const next = await take();
  assert.equal(await next.text(), "told the truth");
  assert.notEqual(await containerOf(next), container);
});

/** Calls the taker with a body whose length is not told. */
async function take(lie?: object): Promise<Response> {
  const query = lie === undefined ? "" : `?lie=${encodeURIComponent(JSON.stringify(lie))}`;
  const body = new ReadableStream<Uint8Array>({
    pull(controller): void {
      controller.enqueue(Buffer.from("a piece"));
      controller.close();
    },
  });
  return await server.fetch(`/f/taker${query}`, { method: "POST", body, duplex: "half" });
}

test("more than the credit breaks the stream off, and the guest is destroyed", async () => {
  const flood = [{ type: "chunk" }, 65_536, 1000];
  const response = await call(server, "liar", { body: JSON.stringify({ says: [start, flood] }) });
  const id = response.headers.get("runlet-invocation-id") ?? "";
  const record = await poll(
    "see it end while nobody reads",
    async () => {
      const now = await server.client.invocation(id).catch(() => undefined);
      return now === undefined || now.status === "running" ? undefined : now;
    },
    { timeoutMs: 20_000 },
  );
  assert.equal(record.error?.code, "protocol_violation");
  assert.match(record.error.message, /over its credit/);
  await response.body?.cancel();
  await assertHonest();
});

/** What is said after an answer, of which the next caller is not to hear. */
const behind: [string, object, answer: string][] = [
  ["a chunk after the end", { says: [start, [{ type: "end" }], [{ type: "chunk" }, 5]] }, ""],
  ["a second answer", { says: [[result]] }, ""],
  [
    "a second answer with a body of 1 MB",
    {
      says: [
        [result, 5],
        [result, 1e6],
      ],
    },
    "xxxxx",
  ],
  ["an answer to another invocation", { says: [[result], [{ ...result, id: "another" }]] }, ""],
  ["a message that is none", { says: [[result], [{ type: "nonsense" }]] }, ""],
  ["a second answer that comes later", { later: result }, "told the truth"],
];
for (const [what, lie, answer] of behind) {
  test(`${what} costs the next caller nothing, and the guest is destroyed`, async () => {
    const response = await call(server, "liar", { body: JSON.stringify(lie) });
    assert.equal(await response.text(), answer);
    const container = await containerOf(response);
    // What is left alone for so long that it is frozen has said it.
    await frozenOrGone(container);
    const next = await call(server, "liar");
    assert.equal(await next.text(), "told the truth");
    assert.notEqual(await containerOf(next), container);
  });
}

/** What a guest does to its end of the channel in the middle of an event, and what its caller is told. */
const halfway: [string, object, status: number, code: string][] = [
  ["closes its channel", { does: "close" }, 502, "function_error"],
  ["sends a length of 4 GB", { does: "boast" }, 502, "protocol_violation"],
  ["sends what is no message", { does: "babble" }, 502, "protocol_violation"],
  ["never answers", { does: "nothing" }, 504, "function_timeout"],
];
for (const [what, event, status, code] of halfway) {
  test(`a guest that ${what} ends its invocation with ${code}, and is destroyed`, async () => {
    const response = await call(server, "breaker", { body: JSON.stringify(event) });
    assert.deepEqual([response.status, (await problemIn(response)).code], [status, code]);
    const { status: recorded, error } = await recordOf(response);
    assert.deepEqual(
      [recorded, error?.code],
      [code === "function_timeout" ? "timed_out" : "failed", code],
    );
    const next = await call(server, "breaker");
    assert.equal(await next.text(), "whole");
  });
}

test("a guest that stops reading in the middle of a large event is timed out as any other", async () => {
  await call(server, "breaker", { body: JSON.stringify({ does: "stop" }) });
  const response = await call(server, "breaker", {
    body: JSON.stringify({ pad: "x".repeat(5e6) }),
  });
  assert.deepEqual([response.status, (await problemIn(response)).code], [504, "function_timeout"]);
  assert.equal((await recordOf(response)).start, "warm");
  assert.equal(await (await call(server, "breaker")).text(), "whole");
});

async function frozenOrGone(id: string | undefined): Promise<void> {
  const { stateDir } = server.config;
  const isSo = (): true | undefined =>
    sandboxPidsOf(stateDir, id).length === frozenSandboxesOf(stateDir, id).length || undefined;
  await poll("see an idle container frozen", isSo, { timeoutMs: 20_000 });
}

async function containerOf(response: Response): Promise<string | undefined> {
  return (await recordOf(response)).containerId;
}

async function recordOf({ headers }: Response): Promise<Invocation> {
  return await server.client.invocation(headers.get("runlet-invocation-id") ?? "");
}

/** A container that lied would have its own `result` behind the lie. */
async function assertHonest(): Promise<void> {
  const response = await call(server, "liar");
  assert.equal(await response.text(), "told the truth");
}
