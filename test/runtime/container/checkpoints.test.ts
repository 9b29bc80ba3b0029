import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Checkpoints } from "../../../runtime/container/checkpoints.ts";
import { tempDir } from "../../support/temp-dir.ts";

async function made(path: string, spec = "{}"): Promise<void> {
  await mkdir(path);
  await writeFile(join(path, "pages.img"), "pages");
  await writeFile(join(path, "spec.json"), spec);
}

test("a checkpoint that is read goes when the last reader is done, and others go at once", async () => {
  await using dir = await tempDir();
  const checkpoints = await Checkpoints.open(dir.file("c"));
  assert.equal(statSync(dir.file("c")).mode & 0o777, 0o700);
  await made(checkpoints.path("read"));
  await made(checkpoints.path("idle"));
  assert.equal(await checkpoints.sizeOf("read"), 7);
  const readers = [checkpoints.read("read"), checkpoints.read("read")];
  await checkpoints.remove("read");
  await checkpoints.remove("idle");
  assert.deepEqual(await readdir(dir.file("c")), ["read"]);
  await readers[0]?.[Symbol.asyncDispose]();
  assert.ok(existsSync(checkpoints.path("read")));
  await readers[1]?.[Symbol.asyncDispose]();
  assert.ok(!existsSync(checkpoints.path("read")));
});

test("a sweep leaves what is known, and tells what of it is not whole", async () => {
  await using dir = await tempDir();
  const checkpoints = await Checkpoints.open(dir.file("c"));
  for (const name of ["whole", "stray"]) await made(checkpoints.path(name));
  await made(checkpoints.path("garbled"), "{");
  await mkdir(checkpoints.path("half"));
  const known = new Set(["whole", "half", "garbled", "gone"]);
  const { removed, missing } = await checkpoints.sweep(known);
  assert.deepEqual([removed, missing], [["stray"], ["half", "garbled", "gone"]]);
  assert.deepEqual((await readdir(dir.file("c"))).toSorted(), ["garbled", "half", "whole"]);
});
