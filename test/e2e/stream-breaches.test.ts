import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { call } from "../support/call.ts";
import { problemIn } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
  await server.client.deploy("liar", {
    runtime: "node",
    isolation: "reuse",
    code: { source: liar },
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
export const handler = async ({ says = [] }, { invocationId: id }) => {
  for (const [header, bytes = 0, times = 1] of says) {
    for (let n = 0; n < times; n++) say({ id, ...header }, bytes);
  }
  return "told the truth";
};`;

/** As the liar, of a body that it reads a piece of first, or not; what it says is in its query. */
const taker = `${liar.slice(0, liar.indexOf("export const handler"))}export default { async fetch(request, { invocationId: id }) {
  const { reads, says } = JSON.parse(new URL(request.url).searchParams.get("lie") ?? '{"says":[]}');
  if (reads) await request.body.getReader().read();
  for (const header of says) say({ id, ...header }, 0);
  return new Response("told the truth");
} };`;

const start = [{ type: "start", contentType: "text/plain" }];

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

test("credit after an answer is refused at the next event, and the guest destroyed", async () => {
  const result = { type: "result", contentType: "text/plain" };
  const response = await take({ reads: true, says: [result, { type: "credit", bytes: 1 }] });
  assert.equal(await response.text(), "");
  assert.equal((await problemIn(await take())).code, "protocol_violation");
  assert.equal(await (await take()).text(), "told the truth");
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

test("a chunk after the end of its stream is refused where it is seen, and the guest destroyed", async () => {
  const says = [start, [{ type: "end" }], [{ type: "chunk" }, 5]];
  const response = await call(server, "liar", { body: JSON.stringify({ says }) });
  assert.equal(await response.text(), "");
  const next = await call(server, "liar");
  assert.equal((await problemIn(next)).code, "protocol_violation");
  await assertHonest();
});

/** A container that lied would have its own `result` behind the lie. */
async function assertHonest(): Promise<void> {
  const response = await call(server, "liar");
  assert.equal(await response.text(), "told the truth");
}
