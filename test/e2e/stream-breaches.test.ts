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

const start = [{ type: "start", contentType: "text/plain" }];

/** The message that breaks the protocol before there is an answer. */
const early: [string, unknown[]][] = [
  ["a chunk without a start", [{ type: "chunk" }, 5]],
  ["an end without a start", [{ type: "end" }]],
  ["a start of another invocation", [{ ...(start[0] as object), id: "another" }]],
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
