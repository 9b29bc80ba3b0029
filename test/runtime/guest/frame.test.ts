import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import test from "node:test";
import { isRunletError } from "../../../runtime/errors.ts";
import {
  defaultFrameLimits,
  encodeFrame,
  type Frame,
  FrameDecoder,
} from "../../../runtime/guest/frame.ts";

function taken(decoder: FrameDecoder): Frame[] {
  const frames: Frame[] = [];
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) frames.push(frame);
  return frames;
}

function encoded(header: object, body?: Uint8Array): Buffer {
  return Buffer.concat(encodeFrame(header, body));
}

function prefixed(rest: number, headerLength: number, text = ""): Buffer {
  const bytes = Buffer.alloc(8 + text.length);
  bytes.writeUInt32BE(rest, 0);
  bytes.writeUInt32BE(headerLength, 4);
  bytes.write(text, 8);
  return bytes;
}

test("a frame has the documented layout", () => {
  const header = Buffer.from('{"type":"é"}').toString("hex");
  assert.equal(
    encoded({ type: "é" }, Buffer.from([1, 2])).toString("hex"),
    `000000130000000d${header}0102`,
  );
});

test("frames survive any chunking", () => {
  const sent = Array.from({ length: 60 }, (_, n) => ({
    header: { n, text: "grüße ".repeat(randomInt(0, 50)) },
    body: randomBytes(n % 3 === 0 ? 0 : randomInt(0, 40_000)),
  }));
  const stream = Buffer.concat(sent.map(({ header, body }) => encoded(header, body)));
  for (const maxChunk of [1, 7, 1000, 65_536, stream.length]) {
    const decoder = new FrameDecoder();
    const received: Frame[] = [];
    for (let at = 0; at < stream.length;) {
      const end = Math.min(stream.length, at + randomInt(1, maxChunk + 1));
      decoder.push(stream.subarray(at, end));
      received.push(...taken(decoder));
      at = end;
    }
    assert.equal(decoder.pendingBytes, 0);
    assert.deepEqual(
      received.map(({ header, body }) => ({ header, body: Buffer.from(body) })),
      sent,
      `chunks of at most ${maxChunk}`,
    );
  }
});

test("frames that are not taken between pushes are all there afterwards", () => {
  const decoder = new FrameDecoder();
  for (let n = 0; n < 500; n++) decoder.push(encoded({ n }, Buffer.alloc(n, n)));
  const frames = taken(decoder);
  assert.deepEqual(
    frames.map(({ header }) => header["n"]),
    [...Array(500).keys()],
  );
  assert.ok(frames.every(({ body }, n) => body.equals(Buffer.alloc(n, n))));
});

test("a body that was taken is not overwritten by what arrives later", () => {
  const decoder = new FrameDecoder();
  const first = encoded({}, Buffer.alloc(100, 1));
  decoder.push(first.subarray(0, 50));
  decoder.push(first.subarray(50));
  const body = decoder.next()?.body;
  for (let n = 0; n < 10; n++) decoder.push(encoded({}, Buffer.alloc(100, 2)).subarray(0, 11));
  assert.deepEqual(body, Buffer.alloc(100, 1));
});

test("a large body in small chunks is not copied again and again", () => {
  const body = Buffer.alloc(8 * 1024 * 1024, 7);
  const stream = encoded({}, body);
  const decoder = new FrameDecoder();
  let copied = 0;
  const { copy } = Buffer.prototype;
  Buffer.prototype.copy = function counted(this: Buffer, ...args: Parameters<typeof copy>): number {
    const n = copy.apply(this, args);
    copied += n;
    return n;
  };
  try {
    for (let at = 0; at < stream.length; at += 512) decoder.push(stream.subarray(at, at + 512));
  } finally {
    Buffer.prototype.copy = copy;
  }
  assert.ok(decoder.next()?.body.equals(body));
  assert.ok(copied < 3 * stream.length, `copied ${copied} of ${stream.length} bytes`);
});

test("a length that is claimed does not take memory before its bytes arrive", () => {
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 50 }, () => {
    const decoder = new FrameDecoder();
    decoder.push(prefixed(defaultFrameLimits.maxFrameBytes, 2, "{}"));
    decoder.push(Buffer.alloc(1));
    assert.equal(decoder.next(), undefined);
    return decoder;
  });
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 16 * 1024 * 1024, `${decoders.length} decoders took ${grown} bytes`);
});

const violations: [string, Buffer][] = [
  ["a length over the bound", prefixed(defaultFrameLimits.maxFrameBytes + 1, 2)],
  ["the largest length", prefixed(0xffffffff, 2)],
  ["a length without room for the header length", prefixed(3, 0)],
  ["a header longer than its frame", prefixed(10, 7)],
  ["a header over its bound", prefixed(defaultFrameLimits.maxFrameBytes, 9 * 1024 * 1024)],
  ["an empty header", prefixed(4, 0)],
  ["a header that is no JSON", prefixed(6, 2, "{{")],
  ["a header that is an array", prefixed(6, 2, "[]")],
  ["a header that is null", prefixed(8, 4, "null")],
  ["a header that is a number", prefixed(5, 1, "1")],
];
for (const [what, bytes] of violations) {
  test(`${what} is a protocol violation, also byte by byte`, () => {
    const whole = new FrameDecoder();
    whole.push(bytes);
    assert.throws(
      () => taken(whole),
      (error) => isRunletError(error, "protocol_violation"),
    );
    assert.throws(
      () => {
        const decoder = new FrameDecoder();
        for (const byte of bytes) {
          decoder.push(Uint8Array.of(byte));
          taken(decoder);
        }
      },
      (error) => isRunletError(error, "protocol_violation"),
    );
  });
}

test("garbage ends in frames, in waiting or in a protocol violation, never in anything else", () => {
  const outcomes = { waiting: 0, violation: 0 };
  for (let round = 0; round < 5000; round++) {
    const garbage = randomBytes(randomInt(1, 64));
    // Plausible lengths let the garbage reach the later checks.
    if (round % 2 === 0) garbage.fill(0, 0, Math.min(3, garbage.length));
    if (round % 4 === 0) garbage.fill(0, 4, Math.min(7, garbage.length));
    const decoder = new FrameDecoder();
    try {
      for (const byte of garbage) {
        decoder.push(Uint8Array.of(byte));
        taken(decoder);
      }
      outcomes.waiting += 1;
    } catch (error) {
      assert.ok(isRunletError(error, "protocol_violation"), String(error));
      outcomes.violation += 1;
    }
  }
  assert.ok(outcomes.waiting > 0 && outcomes.violation > 0, JSON.stringify(outcomes));
});

test("a frame over the bounds is not encoded", () => {
  const limits = { maxFrameBytes: 100, maxHeaderBytes: 20 };
  assert.doesNotThrow(() => encodeFrame({}, Buffer.alloc(94), limits));
  for (const [header, size] of [
    [{}, 95],
    [{ text: "0123456789" }, 0],
  ] as const) {
    assert.throws(
      () => encodeFrame(header, Buffer.alloc(size), limits),
      (error) => isRunletError(error, "payload_too_large"),
    );
  }
});
