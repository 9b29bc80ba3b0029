import assert from "node:assert/strict";
import { closeSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { OutputStream } from "../../../../runtime/container/stdio/output-stream.ts";
import { PipeStock } from "../../../../runtime/container/stdio/pipe-stock.ts";
import { drainToEnd } from "../../../../runtime/container/stdio/stdio.ts";
import { poll } from "../../../../runtime/deadline.ts";

test("drain delivers what was written before it, at once and to the present sink", async () => {
  await using pipe = await newPipe();
  const [first, second]: [string[], string[]] = [[], []];
  pipe.output.attach((chunk) => void first.push(chunk.toString()));
  writeSync(pipe.writer, "one");
  pipe.output.drain();
  assert.deepEqual(first, ["one"]);
  writeSync(pipe.writer, "two");
  pipe.output.drain();
  pipe.output.attach((chunk) => void second.push(chunk.toString()));
  writeSync(pipe.writer, "three");
  pipe.output.drain();
  pipe.output.drain();
  assert.deepEqual([first, second], [["one", "two"], ["three"]]);
});

test("drain takes a full pipe in order, and what follows it comes by itself", async () => {
  await using pipe = await newPipe();
  const bytes: number[] = [];
  pipe.output.attach((chunk) => void bytes.push(...chunk));
  const full = Buffer.from(Array.from({ length: 65_536 }, (_, i) => i % 251));
  writeSync(pipe.writer, full);
  pipe.output.drain();
  assert.equal(bytes.length, full.length);
  writeSync(pipe.writer, Buffer.from([7]));
  await poll("see the rest", () => bytes.length > full.length || undefined, { timeoutMs: 5_000 });
  assert.deepEqual(bytes, [...full, 7]);
});

test("what comes while there is no sink is kept for the next one, up to a bound and with a mark", async () => {
  await using pipe = await newPipe();
  writeSync(pipe.writer, "early");
  pipe.output.drain();
  const chunks: string[] = [];
  pipe.output.attach((chunk) => void chunks.push(chunk.toString()));
  assert.deepEqual(chunks, ["early"]);
  pipe.output.attach(undefined);
  for (let round = 0; round < 3; round++) {
    writeSync(pipe.writer, Buffer.alloc(30_000, "x"));
    pipe.output.drain();
  }
  pipe.output.attach((chunk) => void chunks.push(chunk.toString()));
  assert.equal(chunks[1]?.length, 65_536);
  assert.match(chunks[2] ?? "", /output cut: 24464 more bytes/);
});

test("the end comes when the last writer has closed, and nothing is cut", async () => {
  await using pipe = await newPipe();
  const chunks: string[] = [];
  pipe.output.attach((chunk) => void chunks.push(chunk.toString()));
  writeSync(pipe.writer, "last");
  pipe.closeWriter();
  await pipe.output.ended;
  pipe.output.drain();
  pipe.output.close();
  assert.deepEqual([chunks, pipe.output.isCut], [["last"], false]);
});

test("a stream whose writer stays is cut at the deadline, after what is there has been read", async () => {
  await using pipe = await newPipe();
  const chunks: string[] = [];
  pipe.output.attach((chunk) => void chunks.push(chunk.toString()));
  writeSync(pipe.writer, "there");
  const io = { stdin: undefined, stdout: pipe.output, stderr: undefined, close: () => undefined };
  await drainToEnd(io, 20);
  assert.deepEqual([chunks, pipe.output.isCut], [["there"], true]);
  await pipe.output.ended;
  pipe.output.drain();
  pipe.output.close();
});

interface TestPipe extends AsyncDisposable {
  writer: number;
  output: OutputStream;
  closeWriter(): void;
}

async function newPipe(): Promise<TestPipe> {
  const directory = await mkdtemp(join(tmpdir(), "runlet-test-"));
  const stock = await PipeStock.open(join(directory, "pipes"), { batch: 1 });
  const { host, child } = await stock.take("read");
  const output = new OutputStream(host);
  let isOpen = true;
  const closeWriter = (): void => {
    if (isOpen) closeSync(child);
    isOpen = false;
  };
  return {
    writer: child,
    output,
    closeWriter,
    async [Symbol.asyncDispose](): Promise<void> {
      closeWriter();
      output.close();
      await stock[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}
