import assert from "node:assert/strict";
import { test } from "node:test";
import { readArchive } from "../../../../api/domain/code/archive.ts";
import { type ZipEntry, zipOf } from "../../../support/zip.ts";

const limits = { maxBytes: 1_000, maxFiles: 5 };
const link = 0o120777;

test("a zip is read as files and links under normal paths", async () => {
  const archive = zipOf(
    { path: "src/", mode: 0o040755 },
    { path: "src/main.mjs", text: "code" },
    { path: "./run", text: "#!/bin/sh", mode: 0o100755, isStored: true },
    { path: "src/link", text: "../run", mode: link },
    { path: "dos\\ü.txt", text: "x", mode: 0 },
  );
  const read = (await readArchive(archive, limits)).map((file) =>
    "link" in file
      ? [file.path, file.link]
      : [file.path, Buffer.from(file.bytes).toString(), (file.mode & 0o100) !== 0],
  );
  assert.deepEqual(read, [
    ["src/main.mjs", "code", false],
    ["run", "#!/bin/sh", true],
    ["src/link", "../run"],
    ["dos/ü.txt", "x", false],
  ]);
});

test("a zip without entries is an archive of no files", async () => {
  assert.deepEqual(await readArchive(zipOf(), limits), []);
});

test("a zip may be as large as its bounds", async () => {
  const text = "x".repeat(limits.maxBytes / limits.maxFiles);
  assert.equal((await readArchive(zipOf(...many(5, text)), limits)).length, limits.maxFiles);
});

const zeros = "0".repeat(5_000_000);
const tooLarge: { what: string; entries: ZipEntry[] }[] = [
  { what: "too many bytes", entries: [{ path: "a", text: "x".repeat(1_001) }] },
  { what: "too many bytes in all", entries: many(2, "x".repeat(600)) },
  { what: "too many files", entries: many(6, "") },
  { what: "a bomb", entries: [{ path: "a", text: zeros }] },
  { what: "a claim of 4 GiB", entries: [{ path: "a", text: "x", claimedBytes: 0xffff_fffe }] },
];

for (const { what, entries } of tooLarge) {
  test(`a zip with ${what} is refused as too large`, async () => {
    await assert.rejects(readArchive(zipOf(...entries), limits), { code: "payload_too_large" });
  });
}

const refused: { what: string; entry: ZipEntry; said: RegExp }[] = [
  { what: "a .. segment", entry: { path: "a/../../b" }, said: /has a \.\. segment/ },
  { what: "a .. segment of Windows", entry: { path: "a\\..\\..\\b" }, said: /\.\. segment/ },
  { what: "a directory up", entry: { path: "../d/" }, said: /\.\. segment/ },
  { what: "an absolute path", entry: { path: "/b" }, said: /is absolute/ },
  { what: "a NUL", entry: { path: "a\0b" }, said: /has a NUL/ },
  { what: "a file for its root", entry: { path: "." }, said: /names no file/ },
  { what: "a file of no name", entry: { path: "" }, said: /names no file/ },
  { what: "a link up", entry: { path: "a", text: "..", mode: link }, said: /leaves the code/ },
  { what: "an absolute link", entry: { path: "a", text: "/b", mode: link }, said: /is absolute/ },
  { what: "a link to nothing", entry: { path: "a", mode: link }, said: /is absolute/ },
  { what: "a device", entry: { path: "a", mode: 0o020666 }, said: /neither a file nor a link/ },
  { what: "a FIFO", entry: { path: "a", mode: 0o010666 }, said: /neither a file nor a link/ },
  { what: "an encrypted entry", entry: { path: "a", isEncrypted: true }, said: /is encrypted/ },
  { what: "an unusual packing", entry: { path: "a", method: 93 }, said: /packed with method 93/ },
  {
    what: "an entry that is larger than it says",
    entry: { path: "a", text: zeros, claimedBytes: 10 },
    said: /too many bytes/,
  },
  {
    what: "an entry that is smaller than it says",
    entry: { path: "a", text: "x", claimedBytes: 10 },
    said: /not enough bytes/,
  },
  {
    what: "a stored entry of another size",
    entry: { path: "a", text: "x", isStored: true, claimedBytes: 10 },
    said: /size mismatch/,
  },
  {
    what: "a wrong checksum",
    entry: { path: "a", text: "x", claimedCrc: 1 },
    said: /checksum of "a" is wrong/,
  },
];

for (const { what, entry, said } of refused) {
  test(`a zip with ${what} is refused as a whole`, async () => {
    const archive = zipOf({ path: "good", text: "x" }, entry);
    await assert.rejects(readArchive(archive, limits), { code: "invalid_argument", message: said });
  });
}

const whole = zipOf({ path: "a", text: "x".repeat(900), isStored: true });
const displaced = Buffer.from(whole);
displaced.writeUInt32LE(500, whole.length - 6);
const unreadable: { what: string; archive: Buffer }[] = [
  { what: "a cut zip", archive: whole.subarray(0, 700) },
  { what: "a zip without its last byte", archive: whole.subarray(0, -1) },
  { what: "a zip whose directory is elsewhere", archive: displaced },
];

for (const { what, archive } of unreadable) {
  test(`${what} is no archive`, async () => {
    await assert.rejects(readArchive(archive, limits), {
      code: "invalid_argument",
      message: /Cannot read the code archive: .*Expected a zip file/,
    });
  });
}

function many(count: number, text: string): ZipEntry[] {
  return Array.from({ length: count }, (_, n) => ({ path: `file-${n}`, text }));
}
