import assert from "node:assert/strict";
import { closeSync, fstatSync, readSync, writeSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Pipe, PipeStock } from "../../../../runtime/container/stdio/pipe-stock.ts";

for (const direction of ["read", "write"] as const) {
  test(`a pipe to ${direction} is a real one, carries bytes, and has no name left`, async () => {
    await using place = await newPlace();
    await using stock = await PipeStock.open(place.path, { batch: 3 });
    const pipe = await stock.take(direction);
    const [from, to] = direction === "read" ? [pipe.child, pipe.host] : [pipe.host, pipe.child];
    writeSync(from, "hello");
    const buffer = Buffer.alloc(10);
    assert.equal(buffer.subarray(0, readSync(to, buffer)).toString(), "hello");
    assert.ok(fstatSync(pipe.child).isFIFO());
    assert.equal(fstatSync(pipe.child).mode & 0o777, 0o666);
    assert.equal((await readdir(place.path)).length, 2);
    close(pipe);
  });
}

test("the host's end never blocks", async () => {
  await using place = await newPlace();
  await using stock = await PipeStock.open(place.path);
  const reading = await stock.take("read");
  assert.throws(() => readSync(reading.host, Buffer.alloc(1)), { code: "EAGAIN" });
  const writing = await stock.take("write");
  assert.throws(() => fill(writing.host), { code: "EAGAIN" });
  close(reading);
  close(writing);
});

test("many takers at once get different pipes, beyond one batch", async () => {
  await using place = await newPlace();
  await using stock = await PipeStock.open(place.path, { batch: 4 });
  const pipes = await Promise.all(Array.from({ length: 10 }, async () => await stock.take("read")));
  assert.equal(new Set(pipes.map(({ host }) => fstatSync(host).ino)).size, 10);
  pipes.forEach(close);
});

test("a stock clears its directory when it opens, removes it at its end, and then gives nothing", async () => {
  await using place = await newPlace();
  const path = join(place.path, "pipes");
  await PipeStock.open(path);
  await writeFile(join(path, "p1"), "in the way");
  const stock = await PipeStock.open(path);
  close(await stock.take("read"));
  await stock[Symbol.asyncDispose]();
  await stock[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(place.path), []);
  await assert.rejects(stock.take("read"), { code: "unavailable" });
});

function fill(fd: number): void {
  for (let round = 0; round < 100; round++) writeSync(fd, Buffer.alloc(65_536));
}

function close(pipe: Pipe): void {
  closeSync(pipe.host);
  closeSync(pipe.child);
}

async function newPlace(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "runlet-test-"));
  return {
    path,
    [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }),
  };
}
