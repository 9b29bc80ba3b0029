import assert from "node:assert/strict";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { ImageSource } from "../../../runtime/image/added-image.ts";
import { ImageStore } from "../../../runtime/image/image-store.ts";
import type { Image } from "../../../runtime/image/image.ts";
import { ociArchiveOf, shellEntries, tarOf, writeShell } from "./archives.ts";
import { runIn, TestDirectory } from "./guest.ts";

const marker = { path: "etc/marker", content: "from the archive\n" };
const script = `read line < /etc/marker; echo "$line"; test -d /var/task && test -d /proc/self && echo $HOME $PATH`;

const sources: [name: string, write: (path: string) => Promise<void>, kind: ImageSource["kind"]][] =
  [
    [
      "a directory",
      async (path) => {
        await writeShell(path);
        await mkdir(`${path}/etc`);
        await writeFile(`${path}/etc/marker`, marker.content);
      },
      "directory",
    ],
    [
      "a tar",
      async (path) => await writeFile(path, tarOf([...(await shellEntries()), marker])),
      "tar",
    ],
    [
      "a compressed tar",
      async (path) => await writeFile(path, gzipSync(tarOf([...(await shellEntries()), marker]))),
      "auto",
    ],
    [
      "an OCI archive",
      async (path) => {
        const layers = [tarOf(await shellEntries()), gzipSync(tarOf([marker]))];
        await writeFile(path, ociArchiveOf(layers, { env: ["PATH=/opt/bin:/bin", "HOME=/root"] }));
      },
      "auto",
    ],
  ];

for (const [name, write, kind] of sources) {
  test(`an image is made of ${name} and runs`, async () => {
    await using directory = await TestDirectory.make();
    const path = directory.file("source");
    await write(path);
    const store = new ImageStore({ directory: directory.file("images") });
    const phases = new Set<string>();
    const image = await store.add(
      "mine",
      { kind, path },
      {
        onProgress: ({ phase }) => void phases.add(phase),
      },
    );
    assert.ok(phases.has("reading") && phases.has("packing"));
    assert.deepEqual(facts(await store.get("mine")), facts(image));
    const run = await runIn(image, ["/bin/sh", "-c", script]);
    const search = name === "an OCI archive" ? "/opt/bin:/bin" : "/usr/local/bin:/usr/bin:/bin";
    assert.equal(run.stdout, `from the archive\n/home/runlet ${search}\n`, run.stderr);
    assert.deepEqual((await readdir(directory.file("images"))).sort(), [".empty", "mine"]);
  });
}

test("equal images share one file, which stays until the last of them is removed", async () => {
  await using directory = await TestDirectory.make();
  const store = new ImageStore({ directory: directory.file("images") });
  const path = directory.file("a.tar");
  await writeFile(path, tarOf([marker]));
  const a = await store.add("a", { kind: "tar", path });
  const b = await store.add("b", { kind: "auto", path });
  assert.equal(a.digest, b.digest);
  const fileOf = (name: string): string => directory.file(`images/${name}/${a.digest}.erofs`);
  assert.equal((await stat(fileOf("a"))).ino, (await stat(fileOf("b"))).ino);
  await store.remove("a");
  assert.deepEqual(
    (await store.list()).map(({ name }) => name),
    ["b", "host"],
  );
  assert.equal((await stat(fileOf("b"))).nlink, 1);
  await store.remove("b");
  assert.deepEqual(
    (await store.list()).map(({ name }) => name),
    ["host"],
  );
  assert.deepEqual(
    (await readdir(directory.file("images"))).filter((name) => !name.startsWith(".")),
    [],
  );
});

test("a name is taken by one of two that ask at once, and is free again when removed", async () => {
  await using directory = await TestDirectory.make();
  const images = directory.file("images");
  const path = directory.file("a.tar");
  await writeFile(path, tarOf([marker]));
  const add = async (): Promise<Image> =>
    await new ImageStore({ directory: images }).add("a", { kind: "tar", path });
  const results = await Promise.allSettled([add(), add()]);
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  await assert.rejects(add(), { code: "already_exists" });
  await new ImageStore({ directory: images }).remove("a");
  await add();
});

test("an unknown image is not found, and the error tells which there are", async () => {
  await using directory = await TestDirectory.make();
  const store = new ImageStore({ directory: directory.path });
  const expected = { code: "not_found", message: /"nope": there are default, host\..*image add/ };
  await assert.rejects(store.get("nope"), expected);
  await assert.rejects(store.remove("nope"), expected);
  await assert.rejects(store.get("../../etc"), { code: "not_found" });
});

for (const name of ["", "A", "-a", ".empty", "a/b", "..", "a".repeat(64), "default", "host"]) {
  test(`the name ${JSON.stringify(name)} is refused for an image of one's own`, async () => {
    await using directory = await TestDirectory.make();
    const store = new ImageStore({ directory: directory.file("images") });
    const source = { kind: "directory", path: directory.path } as const;
    await assert.rejects(store.add(name, source), { code: "invalid_argument" });
    await assert.rejects(store.remove(name), { code: "invalid_argument" });
  });
}

test("a missing EROFS packer is said with what installs it, and leaves nothing behind", async () => {
  await using directory = await TestDirectory.make();
  const images = directory.file("images");
  const path = directory.file("a.tar");
  await writeFile(path, tarOf([marker]));
  const store = new ImageStore({ directory: images, packer: "/nonexistent/mkfs.erofs" });
  const expected = { code: "unavailable", message: /apt-get install erofs-utils.*"host"/ };
  await assert.rejects(store.add("a", { kind: "tar", path }), expected);
  await assert.rejects(store.ensureDefault(), expected);
  assert.deepEqual(await readdir(images), [".empty"]);
});

test("what a dead process left in the store is removed by the next one", async () => {
  await using directory = await TestDirectory.make();
  const images = directory.file("images");
  const path = directory.file("a.tar");
  await writeFile(path, tarOf([marker]));
  for (const pid of [process.pid, 4_194_305, process.ppid]) {
    await mkdir(directory.file(`images/.staging-${pid}-abcdef`), { recursive: true });
  }
  await new ImageStore({ directory: images }).add("a", { kind: "tar", path });
  assert.deepEqual(
    (await readdir(images)).sort(),
    [`.staging-${process.ppid}-abcdef`, ".empty", "a"].sort(),
  );
});

function facts({ name, digest, sizeBytes, createdAtMs, env }: Image): unknown {
  return { name, digest, sizeBytes, createdAtMs, env };
}
