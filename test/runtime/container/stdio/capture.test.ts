import assert from "node:assert/strict";
import { test } from "node:test";
import { Capture, cutMark } from "../../../../runtime/container/stdio/capture.ts";

const table = [
  { limit: 10, chunks: [], kept: "", total: 0 },
  { limit: 10, chunks: ["hello"], kept: "hello", total: 5 },
  { limit: 10, chunks: ["hello", "world"], kept: "helloworld", total: 10 },
  { limit: 10, chunks: ["hello", "world", "!"], kept: "helloworld", total: 11 },
  { limit: 3, chunks: ["hello"], kept: "hel", total: 5 },
  { limit: 0, chunks: ["hello"], kept: "", total: 5 },
];
for (const { limit, chunks, kept, total } of table) {
  test(`of ${total} bytes in ${chunks.length} chunks a limit of ${limit} keeps ${kept.length}`, () => {
    const capture = new Capture(limit);
    for (const chunk of chunks) capture.write(Buffer.from(chunk));
    assert.equal(capture.toBuffer().toString(), kept);
    assert.equal(capture.totalBytes, total);
    assert.equal(capture.truncated, total > limit);
    assert.equal(capture.text(), total > limit ? kept + cutMark(total - limit) : kept);
  });
}

test("many one-byte chunks are kept in order across the growth of the buffer", () => {
  const capture = new Capture(5_000);
  for (let i = 0; i < 6_000; i++) capture.write(Buffer.from([i % 251]));
  const expected = Array.from({ length: 5_000 }, (_, i) => i % 251);
  assert.deepEqual([...capture.toBuffer()], expected);
});

test("memory stays at the limit however much flows", () => {
  const capture = new Capture(1_000);
  const chunk = Buffer.alloc(1_000_000);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200; i++) capture.write(chunk);
  assert.equal(capture.totalBytes, 200_000_000);
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
});

test("what was given out does not change with later writes, nor with a reused chunk", () => {
  const capture = new Capture(10);
  const chunk = Buffer.from("abc");
  capture.write(chunk);
  const given = capture.toBuffer();
  chunk.fill("x");
  capture.write(Buffer.from("def"));
  assert.equal(given.toString(), "abc");
  assert.equal(capture.toBuffer().toString(), "abcdef");
});

test("a character that the limit cuts in two is left out", () => {
  const capture = new Capture(4);
  capture.write(Buffer.from("abcé!"));
  assert.equal(capture.text(), `abc${cutMark(2)}`);
});
