import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { requirePace } from "../../api/body-pace.ts";

const withinMs = 150;
const bodies = new Map<string, string>();

/** Reads a body by its path: at once, later than a sender may be quiet, or beside an answer that has begun. */
async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  using _pace = requirePace({ incoming, outgoing }, withinMs);
  let taken = "";
  if (incoming.url === "/late") {
    await sleep(3.5 * withinMs);
    // Of two timers that are late, this comes first: what is there is taken just before the sender is looked at.
    const first = sleep(1);
    for (const until = performance.now() + withinMs; performance.now() < until;);
    await first;
    taken = incoming.read().toString();
  }
  if (incoming.url === "/answered") outgoing.write("begun ");
  const body = taken + (await text(incoming));
  bodies.set(incoming.url ?? "", body);
  outgoing.end(`${body.length} bytes`);
}

const server = createServer((incoming, outgoing) => {
  answer(incoming, outgoing).catch(() => undefined);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
after(() => server.close());

function send(path: string, body: string, length = body.length): Socket {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const head = [
    `POST ${path} HTTP/1.1`,
    "host: x",
    "connection: close",
    `content-length: ${length}`,
  ];
  socket.write([...head, "", body].join("\r\n"));
  return socket;
}

test("a sender that says nothing of its body for a while is told so with 408, and its connection ends", async () => {
  const told = await text(send("/quiet", "abc", 10));
  assert.match(told, /^HTTP\/1\.1 408 /);
  assert.match(told, /nothing of its body has come for 150 ms/);
  assert.equal(bodies.has("/quiet"), false);
});

test("a sender that is slow but not quiet is heard to its end", async () => {
  const socket = send("/slow", "", 12);
  const dripping = (async () => {
    for (let at = 0; at < 12; at++) {
      await sleep(withinMs / 3);
      socket.write("x");
    }
  })();
  assert.match(await text(socket), /^HTTP\/1\.1 200 /);
  await dripping;
  assert.equal(bodies.get("/slow"), "x".repeat(12));
});

test("a body waits for who reads it late", async () => {
  const body = "x".repeat(4 * 1024 * 1024);
  assert.match(await text(send("/late", body)), /^HTTP\/1\.1 200 /);
  assert.equal(bodies.get("/late"), body);
});

test("a sender that has its answer already may be quiet", async () => {
  const socket = send("/answered", "a", 2);
  await sleep(3 * withinMs);
  socket.write("b");
  assert.match(await text(socket), /begun /);
  assert.equal(bodies.get("/answered"), "ab");
});
