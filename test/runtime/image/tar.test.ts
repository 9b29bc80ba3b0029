import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { unpackTar } from "../../../runtime/image/tar.ts";
import { Tree } from "../../../runtime/image/tree.ts";
import { tarOf, type TarEntry } from "./archives.ts";
import { TestDirectory } from "./guest.ts";

const signal = AbortSignal.timeout(60_000);
const roomy = { maxBytes: 1_000_000, maxEntries: 1_000 };

interface Unpacked extends AsyncDisposable {
  readonly root: string;
  /** Names beside the root: what got out. */
  outside(): Promise<string[]>;
}

async function unpack(
  archive: Buffer,
  limits = roomy,
  as: "files" | "layer" = "files",
): Promise<Unpacked> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await TestDirectory.make());
  const root = directory.file("jail/root");
  await mkdir(root, { recursive: true });
  await writeFile(directory.file("jail/secret"), "secret");
  await writeFile(directory.file("a.tar"), archive);
  const outside = async (): Promise<string[]> => {
    assert.equal(await readFile(directory.file("jail/secret"), "utf8"), "secret");
    return [...(await readdir(directory.path)), ...(await readdir(directory.file("jail")))].sort();
  };
  try {
    await unpackTar(directory.file("a.tar"), new Tree(root, limits), { as, signal });
  } catch (error) {
    assert.deepEqual(await outside(), ["a.tar", "jail", "root", "secret"]);
    throw error;
  }
  const owned = stack.move();
  return { root, outside, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}

const link = (path: string, target: string): TarEntry => ({ path, type: "SymbolicLink", target });
const hard = (path: string, target: string): TarEntry => ({ path, type: "Link", target });
const file = (path: string, content = "x"): TarEntry => ({ path, content });
const folder = (path: string, mode = 0o755): TarEntry => ({ path, type: "Directory", mode });

const refused: [name: string, entries: TarEntry[]][] = [
  ["a path that climbs out", [file("../evil")]],
  ["a path that climbs in its middle", [file("a/../../evil")]],
  ["a hard link to a file outside", [hard("evil", "../secret")]],
  ["a hard link to a file that is not there", [hard("evil", "secret")]],
  ["a hard link to an absolute path of the host", [hard("evil", "/etc/passwd")]],
  ["a file below a file", [file("a"), file("a/b")]],
  ["links in a circle", [link("a", "b"), link("b", "a"), file("a/evil")]],
  ["a file in the place of the root", [file("./")]],
];

for (const [name, entries] of refused) {
  test(`an archive with ${name} is refused`, async () => {
    await assert.rejects(unpack(tarOf(entries)), { code: "invalid_argument" });
  });
}

const harmless: [name: string, entries: TarEntry[], path: string, expected: string][] = [
  ["an absolute path stays below the root", [file("/abs/file", "in")], "abs/file", "in"],
  [
    "a write through an absolute link lands below the root",
    [link("out", "/"), file("out/evil", "in")],
    "evil",
    "in",
  ],
  [
    "a write through a climbing link lands below the root",
    [link("out", "../../../.."), file("out/evil", "in")],
    "evil",
    "in",
  ],
  [
    "a chain of links lands below the root",
    [folder("d"), link("d/up", ".."), link("two", "d/up/../.."), file("two/evil", "in")],
    "evil",
    "in",
  ],
  [
    "a file takes the place of a link and is not written through it",
    [link("evil", "../secret"), file("evil", "in")],
    "evil",
    "in",
  ],
  [
    "a directory takes the place of a link",
    [link("d", ".."), folder("d"), file("d/evil", "in")],
    "d/evil",
    "in",
  ],
  [
    "a file changes and a hard link made before keeps what it had",
    [file("a", "old"), hard("b", "a"), file("a", "new")],
    "b",
    "old",
  ],
  [
    "a link that changes is followed to its new target",
    [
      folder("one"),
      folder("two"),
      link("d", "one"),
      file("d/x"),
      link("d", "two"),
      file("d/y", "in"),
    ],
    "two/y",
    "in",
  ],
];

for (const [name, entries, path, expected] of harmless) {
  test(`in an archive, ${name}`, async () => {
    await using unpacked = await unpack(tarOf(entries));
    assert.equal(await readFile(`${unpacked.root}/${path}`, "utf8"), expected);
    assert.ok((await lstat(`${unpacked.root}/${path}`)).isFile());
    assert.deepEqual(await unpacked.outside(), ["a.tar", "jail", "root", "secret"]);
  });
}

test("links keep their targets, whatever these are", async () => {
  const targets = ["/etc/passwd", "../../../secret", "nowhere"];
  await using unpacked = await unpack(tarOf(targets.map((target, i) => link(`l${i}`, target))));
  for (const [i, target] of targets.entries()) {
    assert.equal(await readlink(`${unpacked.root}/l${i}`), target);
  }
});

test("devices and pipes are left out, set-uid bits are dropped, modes are kept", async () => {
  await using unpacked = await unpack(
    tarOf([
      { path: "char", type: "CharacterDevice" },
      { path: "block", type: "BlockDevice" },
      { path: "pipe", type: "FIFO" },
      { path: "su", content: "x", mode: 0o6755 },
      { path: "private", content: "x", mode: 0o640 },
      folder("sticky", 0o7777),
      folder("closed", 0o555),
      file("closed/file"),
    ]),
  );
  const modes = new Map<string, number>();
  for (const name of await readdir(unpacked.root)) {
    modes.set(name, (await lstat(`${unpacked.root}/${name}`)).mode & 0o7777);
  }
  assert.deepEqual(Object.fromEntries(modes), {
    closed: 0o755,
    private: 0o640,
    sticky: 0o1777,
    su: 0o755,
  });
});

const compressions: [name: string, compress: (archive: Buffer) => Buffer][] = [
  ["gzip", (archive) => gzipSync(archive)],
  ["zstd", (archive) => zstdCompressSync(archive)],
  ["nothing", (archive) => archive],
];

for (const [name, compress] of compressions) {
  test(`an archive compressed with ${name} is unpacked whole`, async () => {
    const content = Buffer.alloc(300_000, "abc");
    const many = Array.from({ length: 200 }, (_, i) => file(`f${i}`, `${i}`));
    await using unpacked = await unpack(compress(tarOf([...many, { path: "big", content }])));
    assert.deepEqual(await readFile(`${unpacked.root}/big`), content);
    assert.equal(await readFile(`${unpacked.root}/f199`, "utf8"), "199");
  });

  test(`an archive compressed with ${name} that is cut is refused`, async () => {
    const archive = compress(tarOf([{ path: "big", content: Buffer.alloc(300_000, "abc") }]));
    const cut = archive.subarray(0, Math.floor(archive.length / 2));
    await assert.rejects(unpack(cut), { code: "invalid_argument" });
  });
}

test("what is no archive at all is refused", async () => {
  await assert.rejects(unpack(Buffer.alloc(4_096, "no")), { code: "invalid_argument" });
});

test("an archive over the bounds is refused before it fills the disk", async () => {
  const content = Buffer.concat([randomBytes(20_000), Buffer.alloc(5_000_000)]);
  const bomb = gzipSync(tarOf([{ path: "big", content }]));
  await assert.rejects(unpack(bomb), { code: "payload_too_large" });
  const crowd = tarOf(Array.from({ length: 50 }, (_, i) => file(`f${i}`)));
  await assert.rejects(unpack(crowd, { maxBytes: 1_000, maxEntries: 20 }), {
    code: "payload_too_large",
  });
});

for (const name of [".wh.", ".wh..", ".wh...", "d/.wh..."]) {
  test(`a layer's entry ${name} hides nothing outside of the tree`, async () => {
    await assert.rejects(unpack(tarOf([file("d/f"), file(name)]), roomy, "layer"), {
      code: "invalid_argument",
    });
  });
}

test("unpacking stops with the signal's reason", async () => {
  await using directory = await TestDirectory.make();
  await mkdir(directory.file("root"));
  await writeFile(
    directory.file("a.tar"),
    tarOf([{ path: "big", content: Buffer.alloc(900_000) }]),
  );
  const controller = new AbortController();
  const reason = new Error("enough");
  const tree = new Tree(directory.file("root"), roomy, () => controller.abort(reason));
  await assert.rejects(
    unpackTar(directory.file("a.tar"), tree, { as: "files", signal: controller.signal }),
    reason,
  );
});
