import assert from "node:assert/strict";
import test from "node:test";
import { streamLimits } from "../../../runtime/guest/messages.ts";
import { errorOf, loadedGuest, type NativeGuest, type Source } from "./native-guest.ts";

const { windowBytes, chunkBytes, chunkCostBytes } = streamLimits;

/** Each handler evaluates the expression that is its event, so that one guest serves a whole table. */
const evaluators: Record<"node" | "python", Source> = {
  node: {
    "index.cjs": `const { Readable } = require("node:stream");
const parts = (...all) => new ReadableStream({ start(c) { all.forEach((x) => c.enqueue(x)); c.close(); } });
async function* late(...all) { for (const x of all) { await new Promise(setImmediate); yield x; } }
exports.handler = async (event) => await eval(event);`,
  },
  python: {
    "main.py": `import asyncio
async def late(*all):
    for x in all:
        await asyncio.sleep(0)
        yield x
def failing():
    yield 'a'
    1 / 0
def handler(event, context):
    return eval(event)
`,
  },
};

const text = "text/plain; charset=utf-8";
const binary = "application/octet-stream";

/** Expression, content type, pieces. */
const streams: Record<"node" | "python", [string, string, string[]][]> = {
  node: [
    ["late('a', 'ü')", text, ["a", "ü"]],
    ["late()", binary, []],
    ["late('', 'a', '')", text, ["a"]],
    ["late(Buffer.from('a'), 'b', new Uint8Array([99]).buffer)", binary, ["a", "b", "c"]],
    ["(function* () { yield 'a'; yield 'b'; })()", text, ["a", "b"]],
    ["parts('a', 'b')", text, ["a", "b"]],
    ["Readable.from(['a', 'b'])", text, ["a", "b"]],
    [
      "new Response(late('a', 'b'), { headers: { 'content-type': 'text/x' } })",
      "text/x",
      ["a", "b"],
    ],
  ],
  python: [
    ["late('a', 'ü')", text, ["a", "ü"]],
    ["late()", binary, []],
    ["iter(['', 'a', ''])", text, ["a"]],
    ["(x for x in [b'a', 'b', bytearray(b'c')])", binary, ["a", "b", "c"]],
    ["map(str, range(2))", text, ["0", "1"]],
  ],
};

/** Expression, name of the error, pieces that come before it. */
const failures: Record<"node" | "python", [string, string, string[]][]> = {
  node: [
    ["(async function* () { throw new RangeError('no'); })()", "RangeError", []],
    ["(async function* () { yield 'a'; throw new RangeError('no'); })()", "RangeError", ["a"]],
    ["late('a', 1)", "TypeError", ["a"]],
    ["late({})", "TypeError", []],
  ],
  python: [
    ["(1 / 0 for _ in [1])", "ZeroDivisionError", []],
    ["failing()", "ZeroDivisionError", ["a"]],
    ["late('a', 1)", "TypeError", ["a"]],
    ["iter([{}])", "TypeError", []],
  ],
};

/** Sends an event and answers the types and bodies of what comes, up to what ends the answer. */
async function said(
  guest: NativeGuest,
  expression: string,
): Promise<{
  types: string[];
  pieces: string[];
  last: Awaited<ReturnType<NativeGuest["receive"]>>;
}> {
  const types: string[] = [];
  const pieces: string[] = [];
  let received = await guest.invoke(Buffer.from(expression), { contentType: "text/x" });
  for (;;) {
    types.push(received.message.type);
    if (received.message.type === "chunk") pieces.push(received.body.toString());
    if (["result", "end", "error"].includes(received.message.type)) break;
    received = await guest.receive();
  }
  return { types, pieces, last: received };
}

for (const runtime of ["node", "python"] as const) {
  test(`${runtime}: what brings text or bytes one after the other is a stream of them`, async () => {
    await using guest = await loadedGuest(runtime, evaluators[runtime]);
    for (const [expression, contentType, pieces] of streams[runtime]) {
      const first = await guest.invoke(Buffer.from(expression), { contentType: "text/x" });
      assert.equal(first.message.type, "start", expression + JSON.stringify(first.message));
      assert.equal("contentType" in first.message && first.message.contentType, contentType);
      for (const piece of pieces) {
        const { message, body } = await guest.receive();
        assert.deepEqual([message.type, body.toString()], ["chunk", piece], expression);
      }
      assert.deepEqual((await guest.receive()).message, { type: "end", id: "inv-1" }, expression);
    }
  });

  test(`${runtime}: a stream that fails is an error in its place, and the guest goes on`, async () => {
    await using guest = await loadedGuest(runtime, evaluators[runtime]);
    for (const [expression, name, pieces] of failures[runtime]) {
      const told = await said(guest, expression);
      assert.deepEqual(told.pieces, pieces, expression);
      assert.equal(errorOf(told.last.message).name, name, expression);
    }
    assert.deepEqual((await said(guest, "'fine'")).types, ["result"]);
  });

  test(`${runtime}: a guest sends what its credit is for, and goes on with more`, async () => {
    await using guest = await loadedGuest(runtime, evaluators[runtime]);
    const bytes = { node: "Buffer.alloc(1e6, 1)", python: "b'1' * 10**6" }[runtime];
    let left = windowBytes;
    let total = 0;
    await guest.invoke(Buffer.from(`late(${bytes})`), { contentType: "text/x" });
    while (total < 1e6) {
      if (left <= chunkCostBytes) {
        const credit = { type: "credit", id: "inv-1", bytes: windowBytes } as const;
        await guest.channel.send({ ...credit, id: "another" });
        await guest.channel.send(credit);
        left += windowBytes;
      }
      const { message, body } = await guest.receive();
      assert.equal(message.type, "chunk");
      assert.ok(body.length <= chunkBytes);
      total += body.length;
      left -= body.length + chunkCostBytes;
      assert.ok(left >= 0, "the guest sent more than it may");
    }
    assert.equal(total, 1e6);
    assert.equal((await guest.receive()).message.type, "end");
    await guest.channel.send({ type: "credit", id: "inv-1", bytes: 1 });
    assert.deepEqual((await said(guest, "'fine'")).types, ["result"]);
  });
}

test("a Response that was made of text or bytes is one result, whatever made it", async () => {
  await using guest = await loadedGuest("node", evaluators.node);
  for (const expression of [
    "new Response('text')",
    "new Response(new Uint8Array(3e6))",
    "new Response(new URLSearchParams({ a: 1 }))",
    "new Response('twice').clone()",
    "new Response('')",
    "new Response(null)",
    "Response.json({ a: 1 })",
  ]) {
    assert.deepEqual((await said(guest, expression)).types, ["result"], expression);
  }
});

test("a Response tells its status and headers before its body has begun", async () => {
  const source = {
    "index.mjs": `export default { fetch: () => new Response(new ReadableStream({}), {
      status: 201, headers: { "content-type": "text/event-stream", "x-a": "b" } }) };`,
  };
  await using guest = await loadedGuest("node", source);
  assert.deepEqual((await guest.invoke()).message, {
    type: "start",
    id: "inv-1",
    contentType: "text/event-stream",
    status: 201,
    headers: [
      ["content-type", "text/event-stream"],
      ["x-a", "b"],
    ],
  });
});

test("a Response whose body was read already is an error", async () => {
  await using guest = await loadedGuest("node", evaluators.node);
  const read = "(async () => { const r = new Response('a'); await r.text(); return r; })()";
  const { last } = await said(guest, read);
  assert.match(errorOf(last.message).message, /its body was read already/);
});

test("what a stream holds is let go where the answer fails", async () => {
  const source = {
    "index.mjs": `let isOpen = false;
export const handler = (event) => event.ask ? isOpen : (async function* () {
  isOpen = true;
  try { yield "a"; yield 1; } finally { isOpen = false; }
})();`,
  };
  await using guest = await loadedGuest("node", source);
  await guest.invoke({});
  while ((await guest.receive()).message.type !== "error");
  assert.equal((await guest.invoke({ ask: true })).body.toString(), "false");
});

for (const runtime of ["node", "python"] as const) {
  test(`${runtime}: a request is answered with a status, headers and a stream`, async () => {
    const answer =
      "{'statusCode': 202, 'headers': {'content-type': 'text/event-stream'}, 'body': late('a')}";
    const handlers: Record<typeof runtime, Source> = {
      node: {
        "index.cjs": `async function* late(x) { yield x; } exports.handler = () => (${answer});`,
      },
      python: {
        "main.py": `async def late(x):\n    yield x\ndef handler(event, context):\n    return ${answer}\n`,
      },
    };
    await using own = await loadedGuest(runtime, handlers[runtime]);
    const request = { method: "GET", url: "http://localhost/", headers: [] };
    assert.deepEqual((await own.invoke(undefined, { request })).message, {
      type: "start",
      id: "inv-1",
      contentType: "text/event-stream",
      status: 202,
      headers: [["content-type", "text/event-stream"]],
    });
    assert.equal((await own.receive()).body.toString(), "a");
    assert.equal((await own.receive()).message.type, "end");
  });
}
