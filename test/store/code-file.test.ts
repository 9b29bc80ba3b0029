import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import { canonicalFiles, type CodeFile, digestOf, UnsafePathError } from "../../store/code-file.ts";

const unsafePaths = [
  { path: "", reason: "it has an empty segment" },
  { path: "/", reason: "it is absolute" },
  { path: "/etc/passwd", reason: "it is absolute" },
  { path: "a//b", reason: "it has an empty segment" },
  { path: "a/", reason: "it has an empty segment" },
  { path: ".", reason: "it has a segment ." },
  { path: "a/./b", reason: "it has a segment ." },
  { path: "..", reason: "it has a segment .." },
  { path: "../a", reason: "it has a segment .." },
  { path: "a/../b", reason: "it has a segment .." },
  { path: "a/..", reason: "it has a segment .." },
  { path: "a\0b", reason: "it has a NUL character" },
  { path: "a\ud800", reason: "it is not valid Unicode" },
  { path: "a".repeat(256), reason: "it has a segment longer than 255 bytes" },
  { path: "ä".repeat(128), reason: "it has a segment longer than 255 bytes" },
  { path: "abc/".repeat(1000) + "d", reason: "it is longer than 3072 bytes" },
];
for (const { path, reason } of unsafePaths) {
  test(`the path ${JSON.stringify(path.slice(0, 20))} is refused: ${reason}`, () => {
    assert.throws(() => canonicalFiles([file(path)]), { name: "UnsafePathError", path, reason });
    assert.throws(() => canonicalFiles([{ path, link: "x" }]), { name: "UnsafePathError", reason });
  });
}

const safePaths = ["a", "a/b/c", "...", "..a", "a..", ".env", "a b", "a\\b", "ä/ö", "-rf", "a\nb"];
for (const path of [...safePaths, "a".repeat(255)]) {
  test(`the path ${JSON.stringify(path.slice(0, 20))} is taken`, () => {
    assert.equal(canonicalFiles([file(path)])[0]?.path, path);
  });
}

const unsafeLinks = [
  { path: "a", link: "", reason: "its link is empty" },
  { path: "a", link: "/etc/passwd", reason: "its link is absolute" },
  { path: "a", link: "..", reason: "its link leaves the tree" },
  { path: "a", link: "../b", reason: "its link leaves the tree" },
  { path: "a", link: "./../b", reason: "its link leaves the tree" },
  { path: "a/b", link: "../../c", reason: "its link leaves the tree" },
  { path: "a/b", link: "..//..", reason: "its link leaves the tree" },
  { path: "a", link: "b/../../c", reason: "its link has .. behind a name" },
  { path: "a/b", link: "c/..", reason: "its link has .. behind a name" },
  { path: "a", link: "b\0", reason: "it has a NUL character" },
];
for (const { path, link, reason } of unsafeLinks) {
  test(`the link ${JSON.stringify(path)} to ${JSON.stringify(link)} is refused: ${reason}`, () => {
    assert.throws(() => canonicalFiles([{ path, link }]), {
      name: "UnsafePathError",
      path,
      reason,
    });
  });
}

test("links that stay in the tree are taken as they are", () => {
  const links = [
    { path: "a", link: "b" },
    { path: "b", link: "./c/d" },
    { path: "c/bin/tool", link: "../pkg/tool.js" },
    { path: "c/root", link: ".." },
    { path: "self", link: "self" },
  ];
  assert.deepEqual(canonicalFiles(links), links);
});

test("no two entries climb out together, where each alone would seem to stay inside", () => {
  const entries = [
    { path: "deep/a/up", link: "../.." },
    { path: "deep/a/out", link: "up/../etc" },
  ];
  assert.throws(() => canonicalFiles(entries), UnsafePathError);
});

const conflicts: { says: string; entries: CodeFile[] }[] = [
  { says: "the same file twice", entries: [file("a"), file("b"), file("a")] },
  { says: "a file and a link of one path", entries: [file("a"), { path: "a", link: "b" }] },
  { says: "a file as a directory", entries: [file("a"), file("a/b")] },
  { says: "a file as a directory far above", entries: [file("a/b/c/d"), file("a-b"), file("a")] },
  { says: "a file inside a link", entries: [{ path: "a", link: "b" }, file("a/c"), file("b/d")] },
];
for (const { says, entries } of conflicts) {
  test(`${says} is refused in any order`, () => {
    assert.throws(() => canonicalFiles(entries), UnsafePathError);
    assert.throws(() => canonicalFiles(entries.toReversed()), UnsafePathError);
  });
}

test("the digest does not depend on the order of files or on bits of the mode that do not count", () => {
  const one = [file("b", 0o644), file("a", 0o755), { path: "c", link: "a" }];
  const two = [{ path: "c", link: "a" }, file("a", 0o100777), file("b", 0o600)];
  assert.equal(digest(one), digest(two));
  assert.match(digest(one), /^[0-9a-f]{64}$/);
});

test("the digest tells apart whatever differs in a way that counts", () => {
  const trees: CodeFile[][] = [
    [],
    [file("a")],
    [file("b")],
    [file("a", 0o755)],
    [{ path: "a", mode: 0o644, bytes: Buffer.from("b") }],
    [{ path: "a", mode: 0o644, bytes: Buffer.alloc(0) }],
    [{ path: "a", link: "a" }],
    [{ path: "a", link: "b" }],
    [file("a"), file("b")],
    [{ path: "a", mode: 0o644, bytes: Buffer.from('a["file","b",292,1]\nb') }],
  ];
  assert.equal(new Set(trees.map(digest)).size, trees.length);
});

test("whatever path is taken at random lies inside the tree and is its own normal form", () => {
  const random = seededRandom(20_240_729);
  const parts = ["a", "b", ".", "..", "", "...", "a\0", "ö", "..a", "\ud800"];
  let taken = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const path = Array.from({ length: 1 + random(4) }, () => parts[random(parts.length)]).join("/");
    if (!isTaken([file(path)])) continue;
    taken += 1;
    assert.equal(posix.join("/tree", path), `/tree/${path}`);
    assert.doesNotMatch(path, /\0|\ud800/);
  }
  assert.ok(taken > 1000 && taken < 15_000, `${taken} paths were taken`);
});

test("no step through any links that are taken at random ever leaves the tree", () => {
  const random = seededRandom(4711);
  const parts = ["a", "b", "c", "..", "..", "."];
  const path = (): string =>
    Array.from({ length: 1 + random(4) }, () => parts[random(parts.length)]).join("/");
  let taken = 0;
  for (let round = 0; round < 100_000; round += 1) {
    const links = Array.from({ length: 1 + random(3) }, () => ({ path: path(), link: path() }));
    if (!isTaken(links)) continue;
    taken += 1;
    for (const link of links)
      assert.equal(leavesTree(link.path, links), false, JSON.stringify(links));
  }
  assert.ok(taken > 1000, `${taken} trees were taken`);
});

test("the model of the kernel's walk, which the test before relies on, does see an escape", () => {
  const entries = [
    { path: "a/b/up", link: "../.." },
    { path: "a/b/out", link: "up/../etc" },
  ];
  assert.equal(leavesTree("a/b/up", entries), false);
  assert.equal(leavesTree("a/b/out", entries), true);
});

function leavesTree(path: string, links: readonly { path: string; link: string }[]): boolean {
  const targets = new Map(links.map((entry) => [entry.path, entry.link]));
  const at: string[] = [];
  const rest = path.split("/");
  for (let steps = 0; steps < 100 && rest.length > 0; steps += 1) {
    const segment = rest.shift()!;
    if (segment === "" || segment === ".") continue;
    if (segment === "..") {
      if (at.pop() === undefined) return true;
      continue;
    }
    at.push(segment);
    const target = targets.get(at.join("/"));
    if (target === undefined) continue;
    at.pop();
    rest.unshift(...target.split("/"));
  }
  return false;
}

function isTaken(entries: readonly CodeFile[]): boolean {
  try {
    canonicalFiles(entries);
    return true;
  } catch (error) {
    assert.ok(error instanceof UnsafePathError);
    return false;
  }
}

function digest(files: readonly CodeFile[]): string {
  return digestOf(canonicalFiles(files));
}

function file(path: string, mode = 0o644): CodeFile {
  return { path, mode, bytes: Buffer.from("a") };
}

/** Whole numbers below a bound, the same ones in each run (a linear congruential generator). */
function seededRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
