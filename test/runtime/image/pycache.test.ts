import assert from "node:assert/strict";
import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { detachPycache } from "../../../runtime/image/pycache.ts";
import { TestDirectory } from "./guest.ts";

const seconds = 1_700_000_000;

function cacheOf(source: string, change: { seconds?: number; flags?: number } = {}): Buffer {
  const cache = Buffer.alloc(20, 0xee);
  cache.writeUInt32LE(change.flags ?? 0, 4);
  cache.writeUInt32LE(change.seconds ?? seconds, 8);
  cache.writeUInt32LE(source.length, 12);
  return cache;
}

const rows: [name: string, cache: Buffer, isDetached: boolean][] = [
  ["that belongs to its source is detached from its time", cacheOf("x = 1\n"), true],
  ["of another time stays as it is", cacheOf("x = 1\n", { seconds: seconds + 1 }), false],
  ["of another size stays as it is", cacheOf("x = 10\n"), false],
  ["that is compared by hash stays as it is", cacheOf("x = 1\n", { flags: 3 }), false],
  ["that is cut stays as it is", cacheOf("x = 1\n").subarray(0, 12), false],
];

for (const [name, cache, isDetached] of rows) {
  test(`a Python cache ${name}`, async () => {
    await using directory = await TestDirectory.make();
    const file = directory.file("__pycache__/module.cpython-311.pyc");
    await mkdir(directory.file("__pycache__"));
    await writeFile(directory.file("module.py"), "x = 1\n");
    await utimes(directory.file("module.py"), seconds, seconds);
    await writeFile(file, cache);
    await detachPycache(directory.path, AbortSignal.timeout(10_000));
    const expected = Buffer.from(cache);
    if (isDetached) expected.fill(0, 5, 16).writeUInt8(1, 4);
    assert.deepEqual(await readFile(file), expected);
  });
}
