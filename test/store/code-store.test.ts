import assert from "node:assert/strict";
import { chmodSync, lstatSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type CodeFile, UnsafePathError } from "../../store/code-file.ts";
import { CodeStore } from "../../store/code-store.ts";
import { TempDirectory } from "./temp-directory.ts";

const tree: CodeFile[] = [
  { path: "run.sh", mode: 0o700, bytes: Buffer.from("#!/bin/sh\n") },
  { path: "lib/deep/data.bin", mode: 0o600, bytes: Buffer.from([0, 1, 255]) },
  { path: "lib/empty", mode: 0o644, bytes: Buffer.alloc(0) },
  { path: "main", link: "run.sh" },
  { path: "lib/up", link: "../run.sh" },
];
const stored: CodeFile[] = [
  { path: "lib/deep/data.bin", mode: 0o444, bytes: Buffer.from([0, 1, 255]) },
  { path: "lib/empty", mode: 0o444, bytes: Buffer.alloc(0) },
  { path: "lib/up", link: "../run.sh" },
  { path: "main", link: "run.sh" },
  { path: "run.sh", mode: 0o555, bytes: Buffer.from("#!/bin/sh\n") },
];
const otherTree: CodeFile[] = [{ path: "a", mode: 0o644, bytes: Buffer.from("other") }];
const unknown = "0".repeat(64);

test("files that were put are read back by path", async () => {
  using it = new Opened();
  const digest = await it.store.put(tree);
  assert.equal(await it.store.has(digest), true);
  assert.deepEqual(await it.store.read(digest), stored);
});

test("the same files in another order are the same code, and put only once", async () => {
  using it = new Opened();
  const digest = await it.store.put(tree);
  const { ino } = lstatSync(it.store.path(digest));
  assert.equal(await it.store.put(tree.toReversed()), digest);
  assert.equal(await it.store.put((await it.store.read(digest))!), digest);
  assert.equal(lstatSync(it.store.path(digest)).ino, ino);
  assert.deepEqual(it.names(), [digest]);
});

test("code is read-only and readable by every user, whatever the umask", async () => {
  using it = new Opened();
  const umask = process.umask(0o077);
  let root: string;
  try {
    root = it.store.path(await it.store.put(tree));
  } finally {
    process.umask(umask);
  }
  const modes = { "": 0o555, lib: 0o555, "lib/deep": 0o555, "lib/empty": 0o444, "run.sh": 0o555 };
  for (const [path, mode] of Object.entries(modes)) {
    assert.equal(lstatSync(join(root, path)).mode & 0o7777, mode, path);
  }
  assert.equal(readlinkSync(join(root, "lib/up")), "../run.sh");
});

test("code without any file is code too", async () => {
  using it = new Opened();
  const digest = await it.store.put([]);
  assert.deepEqual(await it.store.read(digest), []);
});

test("the same files put many times at once are there once, with nothing beside them", async () => {
  using it = new Opened();
  const digests = await Promise.all(
    Array.from({ length: 10 }, async () => await it.store.put(tree)),
  );
  assert.equal(new Set(digests).size, 1);
  assert.deepEqual(it.names(), [digests[0]]);
});

test("an unsafe path is refused before anything is written", async () => {
  using it = new Opened();
  const bad = { path: "../evil", mode: 0o644, bytes: Buffer.from("x") };
  await assert.rejects(it.store.put([...tree, bad]), UnsafePathError);
  assert.deepEqual(it.names(), []);
});

test("code that was never put is not there", async () => {
  using it = new Opened();
  assert.equal(await it.store.has(unknown), false);
  assert.equal(await it.store.read(unknown), undefined);
  assert.equal(await it.store.delete(unknown), false);
  assert.equal(await it.store.prune(new Set()), 0);
});

test("a text that is no digest never becomes a path", async () => {
  using it = new Opened();
  for (const text of [
    "",
    "..",
    "../x",
    "/",
    unknown.toUpperCase().replace("0", "A"),
    `${unknown}/..`,
  ]) {
    assert.throws(() => it.store.path(text), { message: /expected 64 hex digits/ });
    await assert.rejects(it.store.read(text));
    await assert.rejects(it.store.delete(text));
  }
});

const tamperings: { says: string; change: (root: string) => void }[] = [
  { says: "a changed file", change: (root) => writeFileSync(join(root, "run.sh"), "#!/bin/no\n") },
  { says: "a changed mode", change: (root) => chmodSync(join(root, "run.sh"), 0o444) },
  { says: "a further file", change: (root) => writeFileSync(join(root, "lib/new"), "") },
];
for (const { says, change } of tamperings) {
  test(`${says} is noticed when the code is read`, async () => {
    using it = new Opened();
    const digest = await it.store.put(tree);
    const root = it.store.path(digest);
    for (const path of ["", "lib", "run.sh"]) chmodSync(join(root, path), 0o755);
    change(root);
    await assert.rejects(it.store.read(digest), { message: /its files were changed on disk/ });
  });
}

test("deleted code is gone and may be put again", async () => {
  using it = new Opened();
  const digest = await it.store.put(tree);
  const other = await it.store.put(otherTree);
  assert.equal(await it.store.delete(digest), true);
  assert.equal(await it.store.delete(digest), false);
  assert.deepEqual(it.names(), [other]);
  assert.equal(await it.store.put(tree), digest);
  assert.deepEqual(await it.store.read(digest), stored);
});

test("a prune removes what is not in use and what a dead process left unfinished", async () => {
  using it = new Opened({ graceMs: 0 });
  const used = await it.store.put(tree);
  await it.store.put(otherTree);
  mkdirSync(join(it.path, ".tmp-dead/lib"), { recursive: true });
  writeFileSync(join(it.path, ".tmp-dead/lib/half"), "ha");
  chmodSync(join(it.path, ".tmp-dead/lib"), 0o555);
  writeFileSync(join(it.path, "notes.txt"), "not ours");
  assert.equal(await it.store.prune(new Set([used])), 1);
  assert.deepEqual(it.names(), [used, "notes.txt"].sort());
  assert.deepEqual(await it.store.read(used), stored);
});

test("a prune spares what was put a moment ago, also if it was there before", async () => {
  using it = new Opened({ graceMs: 60_000 });
  const earlier = new CodeStore(it.path);
  const digest = await earlier.put(tree);
  const other = await earlier.put(otherTree);
  await it.store.put(tree);
  assert.equal(await it.store.prune(new Set()), 1);
  assert.equal(await it.store.has(digest), true);
  assert.equal(await it.store.has(other), false);
});

test("puts and prunes at the same time never lose what was put", async () => {
  using it = new Opened({ graceMs: 60_000 });
  const digest = await new CodeStore(it.path).put(tree);
  for (let round = 0; round < 20; round += 1) {
    const [, answer] = await Promise.all([
      it.store.prune(new Set()),
      it.store.put(round % 2 === 0 ? tree : otherTree),
      it.store.prune(new Set()),
    ]);
    assert.equal(await it.store.has(answer), true);
    if (round % 4 === 3) await it.store.delete(digest);
  }
});

class Opened implements Disposable {
  readonly #directory = new TempDirectory();
  readonly path: string = this.#directory.file("code");
  readonly store: CodeStore;

  constructor(options: { graceMs?: number } = {}) {
    this.store = new CodeStore(this.path, options);
  }

  /** What is in the store's directory, also what is hidden. */
  names(): string[] {
    try {
      return readdirSync(this.path).sort();
    } catch {
      return [];
    }
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}
