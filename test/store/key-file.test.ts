import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { loadKeyFile } from "../../store/key-file.ts";
import { tempDir } from "../support/temp-dir.ts";

test("a key is made once, for its owner's eyes alone", async () => {
  await using dir = await tempDir();
  const key = loadKeyFile(dir.file("key"));
  assert.equal(key.length, 32);
  assert.deepEqual(loadKeyFile(dir.file("key")), key);
  assert.equal(statSync(dir.file("key")).mode & 0o777, 0o600);
});

test("a file of another length is refused, and a directory that is not there is told", async () => {
  await using dir = await tempDir();
  writeFileSync(dir.file("short"), "too short");
  assert.throws(() => loadKeyFile(dir.file("short")), /it has 9 bytes instead of 32/);
  assert.throws(() => loadKeyFile(dir.file("none", "key")), /ENOENT/);
});
