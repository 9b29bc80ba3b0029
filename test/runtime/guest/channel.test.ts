import assert from "node:assert/strict";
import { once } from "node:events";
import { type Duplex, duplexPair } from "node:stream";
import test from "node:test";
import { isRunletError } from "../../../runtime/errors.ts";
import { Channel } from "../../../runtime/guest/channel.ts";
import { encodeFrame, FrameDecoder } from "../../../runtime/guest/frame.ts";
import type { GuestMessage, InvokeMessage } from "../../../runtime/guest/messages.ts";

const invoke: InvokeMessage = { type: "invoke", id: "a", deadlineAtMs: 1 };
const loaded: GuestMessage = { type: "loaded", loadUs: 5 };

function pair(): { channel: Channel; guest: Duplex } {
  const [host, guest] = duplexPair();
  return { channel: new Channel(host), guest };
}

function say(guest: Duplex, header: object, body?: Uint8Array): void {
  guest.write(Buffer.concat(encodeFrame(header, body)));
}

const isViolation = (error: unknown): boolean => isRunletError(error, "protocol_violation");

test("what the host sends arrives as one frame", async () => {
  const { channel, guest } = pair();
  using _ = channel;
  await channel.send(invoke, Buffer.from("event"));
  const [chunk] = (await once(guest, "data")) as [Buffer];
  const decoder = new FrameDecoder();
  decoder.push(chunk);
  assert.deepEqual(decoder.next(), { header: invoke, body: Buffer.from("event") });
});

test("messages are taken in order, whether they are waited for or not", async () => {
  const { channel, guest } = pair();
  using _ = channel;
  const waiting = channel.next();
  for (let loadUs = 0; loadUs < 500; loadUs++) say(guest, { type: "loaded", loadUs });
  assert.deepEqual((await waiting)?.message, { type: "loaded", loadUs: 0 });
  for (let loadUs = 1; loadUs < 500; loadUs++) {
    assert.deepEqual((await channel.next())?.message, { type: "loaded", loadUs });
  }
});

test("a result comes with its body", async () => {
  const { channel, guest } = pair();
  using _ = channel;
  const result = { type: "result", id: "a", contentType: "text/plain" };
  say(guest, result, Buffer.alloc(200_000, 3));
  assert.deepEqual(await channel.next(), { message: result, body: Buffer.alloc(200_000, 3) });
});

test("an abort ends the wait, and the message that comes later is not lost", async () => {
  const { channel, guest } = pair();
  using _ = channel;
  const controller = new AbortController();
  const waiting = channel.next(controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(channel.next(controller.signal), reason);
  say(guest, loaded);
  assert.deepEqual((await channel.next())?.message, loaded);
});

test("two waiters at a time are a bug of the caller", async () => {
  const { channel } = pair();
  using _ = channel;
  const first = channel.next();
  await assert.rejects(channel.next(), /already waited for/);
  channel.close();
  assert.equal(await first, undefined);
});

test("the end of the guest is undefined, after what it said before", async () => {
  const { channel, guest } = pair();
  say(guest, loaded);
  guest.write(Buffer.from([0, 0]));
  guest.end();
  assert.deepEqual((await channel.next())?.message, loaded);
  assert.equal(await channel.next(), undefined);
  assert.equal(await channel.next(), undefined);
  await channel.closed;
});

test("an error of the socket is an end like any other", async () => {
  const [host] = duplexPair();
  const channel = new Channel(host);
  const waiting = channel.next();
  host.destroy(new Error("reset"));
  assert.equal(await waiting, undefined);
  await channel.closed;
});

test("closing twice is harmless, and nothing can be sent afterwards", async () => {
  const { channel } = pair();
  assert.equal(channel.isClosed, false);
  channel.close();
  channel.close();
  assert.equal(channel.isClosed, true);
  await channel.closed;
  await assert.rejects(channel.send(invoke), (error) => isRunletError(error, "unavailable"));
});

test("a channel over a socket that is gone already is closed", async () => {
  const [host] = duplexPair();
  host.destroy();
  const channel = new Channel(host);
  await channel.closed;
  assert.equal(await channel.next(), undefined);
});

test("sending waits for a guest that does not read, until it reads, the caller gives up or all ends", async () => {
  const { channel, guest } = pair();
  const body = Buffer.alloc(1_000_000);
  const controller = new AbortController();
  const given = channel.send(invoke, body, controller.signal);
  const read = channel.send(invoke, body);
  controller.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
  guest.resume();
  await read;
  guest.pause();
  const ended = channel.send(invoke, Buffer.alloc(5_000_000));
  channel.close();
  await assert.rejects(ended, (error) => isRunletError(error, "unavailable"));
});

test("a body over the bound is refused and the channel stays usable", async () => {
  const [host, guest] = duplexPair();
  using channel = new Channel(host, { maxFrameBytes: 1000 });
  await assert.rejects(channel.send(invoke, Buffer.alloc(1000)), (error) =>
    isRunletError(error, "payload_too_large"),
  );
  await channel.send(invoke, Buffer.alloc(800));
  const [chunk] = (await once(guest, "data")) as [Buffer];
  assert.ok(chunk.length > 800);
});

const hostile: [string, Buffer][] = [
  ["a length over the bound", Buffer.from("ffffffff00000000", "hex")],
  ["no JSON", Buffer.from("00000006000000027b7b", "hex")],
  ["an unknown type", Buffer.concat(encodeFrame({ type: "reboot" }))],
  ["a host's message", Buffer.concat(encodeFrame(invoke))],
  ["a field of the wrong type", Buffer.concat(encodeFrame({ type: "loaded", loadUs: "5" }))],
  ["a body where none belongs", Buffer.concat(encodeFrame(loaded, Buffer.alloc(1)))],
  ["a header of 2 MiB", Buffer.concat(encodeFrame({ type: "x".repeat(2 * 1024 * 1024) }))],
];
for (const [what, bytes] of hostile) {
  test(`${what} destroys the channel`, async () => {
    const { channel, guest } = pair();
    say(guest, loaded);
    guest.write(bytes);
    assert.deepEqual((await channel.next())?.message, loaded);
    await assert.rejects(channel.next(), isViolation);
    await channel.closed;
    await assert.rejects(channel.next(), isViolation);
    await assert.rejects(channel.send(invoke), (error) => isRunletError(error, "unavailable"));
  });
}

test("a waiter hears of a violation", async () => {
  const { channel, guest } = pair();
  const waiting = channel.next();
  say(guest, { type: "reboot" });
  await assert.rejects(waiting, isViolation);
});

test("a guest that talks without being asked is made to wait", async () => {
  const { channel, guest } = pair();
  using _ = channel;
  const frame = Buffer.concat(encodeFrame({ ...loaded }));
  let written = 0;
  while (written < 100_000 && guest.write(frame)) written += 1;
  while (guest.writableNeedDrain && (await drained(guest))) {
    while (written < 100_000 && guest.write(frame)) written += 1;
  }
  assert.ok(written < 100_000, "everything was taken in");
  for (let taken = 0; taken < 1000; taken++) assert.ok(await channel.next());
});

/** Tells whether the stream drains while the event loop turns a number of times. */
async function drained(stream: Duplex): Promise<boolean> {
  for (let turn = 0; turn < 50; turn++) {
    if (!stream.writableNeedDrain) return true;
    await new Promise(setImmediate);
  }
  return !stream.writableNeedDrain;
}
