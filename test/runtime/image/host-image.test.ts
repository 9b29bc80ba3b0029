import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { test } from "node:test";
import { ImageStore } from "../../../runtime/image/image-store.ts";
import { runIn, TestDirectory } from "./guest.ts";

const programs: [name: string, args: string[], expected: string][] = [
  ["the node that runs us", ["node", "-p", "process.version"], `${process.version}\n`],
  ["bash, as the guest's user", ["bash", "-c", "echo $UID $(id -un)"], "1000 runlet\n"],
  ["awk, which is an alternative", ["awk", "BEGIN { print 6 * 7 }"], "42\n"],
  ["python3", ["python3", "-c", "print(6 * 7)"], "42\n"],
  ["a read-only view", ["sh", "-c", "test -w /usr || test -w /etc || echo no"], "no\n"],
  ["no home of the host's", ["sh", "-c", "ls /home /root 2>/dev/null"], "/home:\nrunlet\n"],
];

test("the host image runs the host's programs without an EROFS packer", async (t) => {
  await using directory = await TestDirectory.make();
  const packer = "/nonexistent/mkfs.erofs";
  const image = await new ImageStore({ directory: directory.path, packer }).get("host");
  assert.equal(image.kind, "host");
  for (const [name, args, expected] of programs) {
    await t.test(name, async () => {
      const run = await runIn(image, args);
      assert.equal(run.stdout, expected, run.stderr);
    });
  }
});

test("the host image's skeleton is made once", async () => {
  await using directory = await TestDirectory.make();
  const store = new ImageStore({ directory: directory.path });
  const [a, b] = await Promise.all([store.get("host"), store.get("host")]);
  assert.equal(a.digest, b.digest);
  const names = await readdir(directory.path);
  assert.equal(names.length, 1);
  const { ino } = await stat(directory.file(names[0] ?? ""));
  await store.get("host");
  assert.equal((await stat(directory.file(names[0] ?? ""))).ino, ino);
});
