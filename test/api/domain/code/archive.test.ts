import assert from "node:assert/strict";
import { test } from "node:test";
import { readArchive } from "../../../../api/domain/code/archive.ts";
import { type TarEntry, tarGzOf, tarOf } from "../../../support/tar.ts";

const limits = { maxBytes: 1_000, maxFiles: 5 };

const tree: TarEntry[] = [
  { path: "./", type: "5", mode: 0o755 },
  { path: "./src/", type: "5", mode: 0o755 },
  { path: "./src/main.mjs", text: "code" },
  { path: "./run", text: "#!/bin/sh", mode: 0o755 },
  { path: "./src/link", type: "2", link: "../run" },
];

for (const [form, archive] of [
  ["plain", tarOf(...tree)],
  ["gzip", tarGzOf(...tree)],
] as const) {
  test(`a ${form} archive is read as files and links under normal paths`, async () => {
    const files = await readArchive(archive, limits);
    const read = files.map((file) =>
      "link" in file
        ? [file.path, file.link]
        : [file.path, Buffer.from(file.bytes).toString(), (file.mode & 0o100) !== 0],
    );
    assert.deepEqual(read, [
      ["src/main.mjs", "code", false],
      ["run", "#!/bin/sh", true],
      ["src/link", "../run"],
    ]);
  });
}

test("an archive may be as large as its bounds", async () => {
  const text = "x".repeat(limits.maxBytes / limits.maxFiles);
  const entries = Array.from({ length: limits.maxFiles }, (_, n) => ({ path: `${n}`, text }));
  assert.equal((await readArchive(tarOf(...entries), limits)).length, limits.maxFiles);
});

const tooLarge: { what: string; archive: Buffer }[] = [
  { what: "too many bytes", archive: tarOf({ path: "a", text: "x".repeat(1_001) }) },
  { what: "too many bytes in all", archive: tarOf(...many(2, "x".repeat(600))) },
  { what: "too many files", archive: tarOf(...many(6, "")) },
  { what: "a bomb", archive: tarGzOf({ path: "a", text: "0".repeat(5_000_000) }) },
];

for (const { what, archive } of tooLarge) {
  test(`an archive with ${what} is refused as too large`, async () => {
    await assert.rejects(readArchive(archive, limits), { code: "payload_too_large" });
  });
}

const refused: { what: string; entry: TarEntry; said: RegExp }[] = [
  { what: "a .. segment", entry: { path: "a/../../b" }, said: /has a \.\. segment/ },
  { what: "a .. segment that stays inside", entry: { path: "a/../b" }, said: /\.\. segment/ },
  { what: "an absolute path", entry: { path: "/b" }, said: /is absolute/ },
  { what: "a link up", entry: { path: "a", type: "2", link: ".." }, said: /leaves the code/ },
  {
    what: "a link that goes down and further up",
    entry: { path: "d/a", type: "2", link: "x/../../../b" },
    said: /leaves the code/,
  },
  { what: "an absolute link", entry: { path: "a", type: "2", link: "/b" }, said: /is absolute/ },
  { what: "a link to nothing", entry: { path: "a", type: "2" }, said: /Cannot/ },
  { what: "a hard link", entry: { path: "a", type: "1", link: "b" }, said: /type Link/ },
  { what: "a device", entry: { path: "a", type: "3" }, said: /type CharacterDevice/ },
  { what: "a FIFO", entry: { path: "a", type: "6" }, said: /type FIFO/ },
  { what: "a file for its root", entry: { path: ".", text: "x" }, said: /names no file/ },
];

for (const { what, entry, said } of refused) {
  test(`an archive with ${what} is refused as a whole`, async () => {
    const archive = tarOf({ path: "good", text: "x" }, entry);
    await assert.rejects(readArchive(archive, limits), { code: "invalid_argument", message: said });
  });
}

const whole = tarOf({ path: "a", text: "x".repeat(900) });
const broken = Buffer.from(whole);
broken.write("999", 148);
const unreadable: { what: string; archive: Buffer }[] = [
  { what: "text", archive: Buffer.from("hello") },
  { what: "nothing at all", archive: Buffer.alloc(0) },
  { what: "an archive without entries", archive: tarOf() },
  { what: "a cut archive", archive: whole.subarray(0, 700) },
  {
    what: "a cut compressed archive",
    archive: tarGzOf({ path: "a", text: "xyz" }).subarray(0, 40),
  },
  { what: "an archive with a wrong checksum", archive: broken },
];

for (const { what, archive } of unreadable) {
  test(`${what} is no archive`, async () => {
    await assert.rejects(readArchive(archive, limits), {
      code: "invalid_argument",
      message: /Cannot read the code archive: .*Expected a zip file, or a tar file, gzip or not/,
    });
  });
}

function many(count: number, text: string): TarEntry[] {
  return Array.from({ length: count }, (_, n) => ({ path: `file-${n}`, text }));
}
