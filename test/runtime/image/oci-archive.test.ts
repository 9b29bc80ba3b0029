import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { applyOciArchive, isOciArchive } from "../../../runtime/image/oci-archive.ts";
import { unpackTar } from "../../../runtime/image/tar.ts";
import { Tree } from "../../../runtime/image/tree.ts";
import { ociArchiveOf, tarOf, type TarEntry } from "./archives.ts";
import { walk } from "../../../runtime/image/walk.ts";
import { TestDirectory } from "./guest.ts";

const signal = AbortSignal.timeout(60_000);
const limits = { maxBytes: 10_000_000, maxEntries: 1_000 };

interface Applied {
  readonly env: Record<string, string>;
  readonly files: string[];
}

async function apply(archive: Buffer): Promise<Applied> {
  await using directory = await TestDirectory.make();
  await writeFile(directory.file("archive.tar"), archive);
  await mkdir(directory.file("raw"));
  await mkdir(directory.file("root"));
  const raw = new Tree(directory.file("raw"), limits);
  await unpackTar(directory.file("archive.tar"), raw, { as: "files", signal });
  assert.ok(await isOciArchive(raw));
  const env = await applyOciArchive(raw, new Tree(directory.file("root"), limits), signal);
  const files: string[] = [];
  for await (const { path } of walk(directory.file("root"))) files.push(path);
  return { env, files: files.sort() };
}

const file = (path: string): TarEntry => ({ path, content: path });
const link = (path: string, target: string): TarEntry => ({ path, type: "SymbolicLink", target });

const layerings: [name: string, layers: TarEntry[][], files: string[]][] = [
  ["later layers add", [[file("a")], [file("b")]], ["a", "b"]],
  ["a whiteout hides a file", [[file("d/a"), file("d/b")], [file("d/.wh.a")]], ["d", "d/b"]],
  ["a whiteout hides a directory", [[file("d/e/a")], [file("d/.wh.e")]], ["d"]],
  ["a whiteout of nothing is no error", [[file("a")], [file("x/.wh.y"), file(".wh.z")]], ["a"]],
  [
    "an opaque directory hides what was below and keeps what comes with it, in any order",
    [
      [file("d/old"), file("d/sub/old")],
      [file("d/sub/new"), file("d/.wh..wh..opq"), file("d/new")],
    ],
    ["d", "d/new", "d/sub", "d/sub/new"],
  ],
  [
    "a whiteout through a link hides inside the tree only",
    [[file("usr/lib/a"), link("lib", "/usr/lib")], [file("lib/.wh.a")]],
    ["lib", "usr", "usr/lib"],
  ],
  [
    "a file in a linked directory goes where the link leads",
    [[file("usr/bin/a"), link("bin", "usr/bin")], [file("bin/b")]],
    ["bin", "usr", "usr/bin", "usr/bin/a", "usr/bin/b"],
  ],
];

for (const [name, layers, expected] of layerings) {
  test(`of an OCI archive's layers, ${name}`, async () => {
    const { files } = await apply(ociArchiveOf(layers.map((layer) => tarOf(layer))));
    assert.deepEqual(files, expected);
  });
}

test("the environment of an OCI archive is taken, but for malformed entries", async () => {
  const env = ["PATH=/opt/bin:/bin", "EMPTY=", "EQUAL=a=b", "no value", "=x", "1A=x"];
  const applied = await apply(ociArchiveOf([tarOf([file("a")])], { env }));
  assert.deepEqual(applied.env, { PATH: "/opt/bin:/bin", EMPTY: "", EQUAL: "a=b" });
});

test("an archive in the older form of docker save is taken", async () => {
  const archive = tarOf([
    {
      path: "manifest.json",
      content: JSON.stringify([{ Config: "c.json", Layers: ["1/l.tar", "2/l.tar"] }]),
    },
    { path: "c.json", content: JSON.stringify({ config: { Env: ["A=b"] } }) },
    { path: "1/l.tar", content: tarOf([file("a")]) },
    link("2/l.tar", "../1/l.tar"),
  ]);
  assert.deepEqual(await apply(archive), { env: { A: "b" }, files: ["a"] });
});

const layer = tarOf([file("a")]);
const changeIndex =
  (change: (text: string) => string) =>
  (entries: TarEntry[]): TarEntry[] =>
    entries.map((entry) =>
      entry.path === "index.json" ? { ...entry, content: change(String(entry.content)) } : entry,
    );

const unusable: [name: string, change: (entries: TarEntry[]) => TarEntry[], message: RegExp][] = [
  [
    "a layer that is not what its digest says",
    (entries) =>
      entries.map((entry) =>
        layer.equals(Buffer.from(entry.content ?? ""))
          ? { ...entry, content: tarOf([file("b")]) }
          : entry,
      ),
    /damaged/,
  ],
  [
    "a layer that is missing",
    (entries) => entries.filter((entry) => !layer.equals(Buffer.from(entry.content ?? ""))),
    /missing/,
  ],
  [
    "a layer that is a link to a file of the host",
    (entries) =>
      entries.map((entry) =>
        layer.equals(Buffer.from(entry.content ?? "")) ? link(entry.path, "/etc/passwd") : entry,
      ),
    /missing/,
  ],
  [
    "a digest that is a path",
    changeIndex((text) => text.replace(/sha256:\w+/, "sha256:../../../../etc/passwd")),
    /malformed/,
  ],
  ["an index that is no JSON", changeIndex(() => "{"), /malformed/],
  [
    "no image for this machine",
    changeIndex((text) =>
      text.replace('"size"', '"platform":{"os":"plan9","architecture":"mips"},"size"'),
    ),
    /no image for linux\/\w+, only plan9\/mips/,
  ],
];

for (const [name, change, message] of unusable) {
  test(`an OCI archive with ${name} is refused`, async () => {
    await assert.rejects(apply(ociArchiveOf([layer], { change })), {
      code: "invalid_argument",
      message,
    });
  });
}
