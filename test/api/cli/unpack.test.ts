import assert from "node:assert/strict";
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join, relative } from "node:path";
import { test } from "node:test";
import { unpackInto } from "../../../api/cli/unpack.ts";
import { tarGzOf, tarOf, type TarEntry } from "../../support/tar.ts";
import { tempDir } from "../../support/temp-dir.ts";

/** What came of an archive that was unpacked into `in/` beside a file that it must not touch. */
interface Outcome {
  /** What is in `in/`: a link as where it leads. */
  found: Record<string, string>;
  leftOut: string[];
  error: string | undefined;
}

async function outcomeOf(archive: Uint8Array, pieceBytes = archive.length): Promise<Outcome> {
  await using dir = await tempDir();
  const inside = join(dir.path, "in");
  await writeFile(join(dir.path, "secret"), "untouched");
  await mkdir(inside);
  await symlink("..", join(inside, "mine"));
  const leftOut: string[] = [];
  const error = await unpackInto(inside, pieces(archive, pieceBytes), (path) => {
    leftOut.push(path);
  }).then(
    () => undefined,
    (thrown: Error) => thrown.message,
  );
  assert.deepEqual((await readdir(dir.path)).toSorted(), ["in", "secret"]);
  assert.equal(await readFile(join(dir.path, "secret"), "utf8"), "untouched");
  const found: Record<string, string> = {};
  // Without types it would follow links.
  for (const entry of await readdir(inside, { recursive: true, withFileTypes: true })) {
    const at = join(entry.parentPath, entry.name);
    const name = relative(inside, at);
    if (entry.isSymbolicLink()) found[name] = `-> ${await readlink(at)}`;
    else if (entry.isFile()) found[name] = await readFile(at, "utf8");
  }
  assert.equal(found["mine"], "-> ..");
  delete found["mine"];
  return { found, leftOut, error };
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const honest: TarEntry[] = [
  { path: "d", type: "5", mode: 0o755 },
  { path: "d/run", text: "x", mode: 0o6755 },
  { path: "d/up", type: "2", link: "../d/run" },
  { path: "d/root", type: "2", link: ".." },
  { path: "hard", type: "1", link: "d/run" },
  { path: "late", type: "2", link: "d/up" },
];

test("files, directories and links are made as they are in the archive, however it comes", async () => {
  const archive = tarOf(...honest);
  for (const pieceBytes of [archive.length, 100]) {
    assert.deepEqual(await outcomeOf(archive, pieceBytes), {
      found: { "d/run": "x", "d/up": "-> ../d/run", "d/root": "-> ..", hard: "x", late: "-> d/up" },
      leftOut: [],
      error: undefined,
    });
  }
});

test("no file runs with the rights of another, and all are ours", async () => {
  await using dir = await tempDir();
  await unpackInto(dir.path, pieces(tarOf(...honest), 512), assert.fail);
  const { mode, uid, gid } = await lstat(join(dir.path, "d/run"));
  assert.deepEqual([mode & 0o7000, uid, gid], [0, process.getuid?.(), process.getgid?.()]);
});

const file = { path: "after", text: "x" };
const leads = (path: string, link: string): TarEntry => ({ path, type: "2", link });
const hard = (path: string, link: string): TarEntry => ({ path, type: "1", link });
const directory = (path: string): TarEntry => ({ path, type: "5", mode: 0o755 });

/** Archives of which a part is left out, and what stands there afterwards. */
const partly: [
  what: string,
  entries: TarEntry[],
  leftOut: string[],
  found: Record<string, string>,
][] = [
  ["an absolute path", [{ path: "/tmp/out", text: "x" }, file], ["/tmp/out"], { after: "x" }],
  ["a path that goes up", [{ path: "../secret" }, file], ["../secret"], { after: "x" }],
  ["a path that goes down and up", [{ path: "d/../../secret" }], ["d/../../secret"], {}],
  ["a hard link that goes up", [hard("a", "../secret"), file], ["a"], { after: "x" }],
  ["an absolute hard link", [hard("a", "/etc/passwd")], ["a"], {}],
  ["an absolute link", [leads("a", "/etc/passwd"), file], ["a"], { after: "x" }],
  ["a link that goes up too far", [leads("a", "../secret"), file], ["a"], { after: "x" }],
  ["a link that goes down and up", [directory("d"), leads("a", "d/../../secret")], ["a"], {}],
  [
    "a link that goes up behind another link",
    [directory("d"), directory("d/e"), leads("d/e/l", "../.."), leads("a", "d/e/l/../secret")],
    ["a"],
    { "d/e/l": "-> ../.." },
  ],
  [
    "a link in a link, from where it would lead out",
    [directory("d"), directory("d/e"), leads("d/e/l", "../.."), leads("d/e/l/out", "../..")],
    ["d/e/l/out"],
    { "d/e/l": "-> ../.." },
  ],
  ["a link in one of our own", [leads("mine/l", "a"), file], ["mine/l"], { after: "x" }],
  ["a device", [{ path: "a", type: "3" }, file], ["a"], { after: "x" }],
  ["a FIFO", [{ path: "a", type: "6" }, file], ["a"], { after: "x" }],
  ["a name that is no UTF-8", [{ path: "a\uFFFD" }, file], ["a\uFFFD"], { after: "x" }],
  [
    "a link in the place of a directory",
    [directory("d"), leads("d", "."), { path: "d/f", text: "x" }],
    ["d"],
    { "d/f": "x" },
  ],
  ["a file behind a link", [leads("l", "."), { path: "l/f", text: "x" }], ["l"], { "l/f": "x" }],
];
for (const [what, entries, leftOut, found] of partly) {
  test(`of an archive with ${what}, that is left out`, async () => {
    assert.deepEqual(await outcomeOf(tarOf(...entries)), { found, leftOut, error: undefined });
  });
}

const refused: [what: string, entries: TarEntry[]][] = [
  ["a path through a link of ours", [{ path: "mine/secret", text: "x" }]],
  ["a hard link through a link of ours", [hard("a", "mine/secret")]],
  ["a hard link to nothing", [hard("a", "nothing")]],
];
for (const [what, entries] of refused) {
  test(`an archive with ${what} is refused`, async () => {
    const outcome = await outcomeOf(tarOf(...entries));
    assert.match(outcome.error ?? "", /^Cannot unpack into .*\/in: /);
    assert.deepEqual(outcome.found, {});
  });
}

test("an archive that is cut short, or is none, is refused", async () => {
  const whole = tarOf({ path: "a", text: "x".repeat(2000) });
  for (const bytes of [whole.subarray(0, 1200), Buffer.alloc(4096, "junk")]) {
    assert.match((await outcomeOf(bytes)).error ?? "", /^Cannot unpack into .*\/in: TAR_/);
  }
});

test("an archive of nothing is unpacked, and one that would burst is refused", async () => {
  assert.deepEqual(await outcomeOf(tarOf()), { found: {}, leftOut: [], error: undefined });
  const bomb = tarGzOf({ path: "bomb", text: "0".repeat(10_000_000) });
  const { error } = await outcomeOf(bomb);
  assert.match(error ?? "", /^Cannot unpack into .*\/in: .*decompression ratio/i);
});

test("what never ends behind the end of an archive is not waited for", async () => {
  await using dir = await tempDir();
  const endless = (async function* () {
    yield tarOf(file);
    for (;;) yield Buffer.alloc(65_536);
  })();
  await unpackInto(dir.path, endless, assert.fail);
  assert.deepEqual(await readdir(dir.path), ["after"]);
});

test("what cannot be written is told", async () => {
  await using dir = await tempDir();
  await writeFile(join(dir.path, "d"), "");
  await chmod(join(dir.path, "d"), 0o400);
  const unpacked = unpackInto(join(dir.path, "d"), pieces(tarOf(file), 512), assert.fail);
  await assert.rejects(unpacked, /EEXIST/);
});
