import assert from "node:assert/strict";
import test from "node:test";
import { streamLimits } from "../../../runtime/guest/messages.ts";
import { errorOf, loadedGuest, type NativeGuest } from "./native-guest.ts";

const { windowBytes, chunkBytes, chunkCostBytes } = streamLimits;
const id = "inv-1";
const request = { method: "POST", url: "http://localhost/", headers: [] };
const streamed = { request, streamed: true } as const;

const reader = {
  "index.mjs": `export default { async fetch(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/keep") { kept = request.body.getReader(); await kept.read(); kept.read(); return new Response("kept"); }
  return new Response(await request.text());
} };
let kept;`,
};
const handler = { "index.mjs": "export const handler = ({ body }) => String(body?.length ?? 0);" };

/** Invokes with a body that has not arrived, and answers what is asked for first. */
async function asked(guest: NativeGuest, path = "/"): Promise<unknown> {
  const url = `http://localhost${path}`;
  return (await guest.invoke(undefined, { ...streamed, request: { ...request, url } })).message;
}

test("a fetch handler asks for a window when it reads, and for more as it reads on", async () => {
  await using guest = await loadedGuest("node", reader);
  assert.deepEqual(await asked(guest), { type: "credit", id, bytes: windowBytes });
  let credit = windowBytes;
  let total = 0;
  while (total < 1e6) {
    while (credit <= chunkBytes + chunkCostBytes) {
      const { message } = await guest.receive();
      assert.equal(message.type, "credit");
      if (message.type === "credit") credit += message.bytes;
      assert.ok(credit <= windowBytes, "no more than a window is ever on its way");
    }
    await guest.channel.send({ type: "chunk", id }, Buffer.alloc(chunkBytes, "x"));
    credit -= chunkBytes + chunkCostBytes;
    total += chunkBytes;
  }
  await guest.channel.send({ type: "end", id });
  let last = await guest.receive();
  while (last.message.type === "credit") last = await guest.receive();
  assert.equal(last.body.length, total);
});

test("a handler of events asks for the whole and gets it at once", async () => {
  await using guest = await loadedGuest("node", handler);
  assert.deepEqual(await asked(guest), { type: "whole", id });
  await guest.channel.send({ type: "chunk", id }, Buffer.from("aaa"));
  await guest.channel.send({ type: "chunk", id }, Buffer.from("bbb"));
  await guest.channel.send({ type: "end", id });
  assert.equal((await guest.receive()).body.toString(), "8", "as base64");
});

for (const [kind, source] of Object.entries({ fetch: reader, event: handler })) {
  test(`a body that breaks off is an error of a ${kind} handler, which serves on`, async () => {
    await using guest = await loadedGuest("node", source);
    await asked(guest);
    await guest.channel.send({ type: "chunk", id }, Buffer.from("a"));
    await guest.channel.send({ type: "break", id });
    let last = await guest.receive();
    while (last.message.type === "credit") last = await guest.receive();
    assert.equal(errorOf(last.message).name, "BrokenBody");
    assert.equal((await guest.invoke(Buffer.from(""), { request })).message.type, "result");
  });
}

test("a body that is read on after the answer asks for nothing more, and its pieces mean nothing", async () => {
  await using guest = await loadedGuest("node", reader);
  await asked(guest, "/keep");
  await guest.channel.send({ type: "chunk", id }, Buffer.from("a"));
  assert.equal((await guest.receive()).body.toString(), "kept");
  for (const type of ["chunk", "break", "end"] as const) {
    await guest.channel.send({ type, id }, type === "chunk" ? Buffer.alloc(200_000) : undefined);
  }
  const next = await guest.invoke(Buffer.from("next"), { id: "inv-2", request });
  assert.deepEqual([next.message.type, next.body.toString()], ["result", "next"]);
});
