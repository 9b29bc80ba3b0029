import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../store/database.ts";
import { FunctionStore } from "../../store/functions.ts";
import { TempDirectory } from "./temp-directory.ts";

const config = { configJson: '{"memoryBytes":1}', codeDigest: "a".repeat(64) };
const otherConfig = { configJson: '{"memoryBytes":2}', codeDigest: "a".repeat(64) };
const otherCode = { configJson: '{"memoryBytes":1}', codeDigest: "b".repeat(64) };

test("a new function starts at version 1", () => {
  using it = new Opened();
  assert.deepEqual(it.functions.putVersion("f", { ...config, atUs: 7 }), {
    version: 1,
    created: true,
  });
  const revisionId = it.functions.get("f")?.revisionId ?? "";
  assert.match(revisionId, /^[0-9a-f-]{36}$/);
  const latest = { ...config, functionName: "f", version: 1, revisionId, createdAtUs: 7 };
  assert.deepEqual(it.functions.get("f"), latest);
  assert.deepEqual(it.functions.describe("f"), {
    name: "f",
    latestVersion: 1,
    createdAtUs: 7,
    updatedAtUs: 7,
    latest,
  });
});

const changes = [
  { change: "nothing", next: config, version: 1, created: false },
  { change: "the config", next: otherConfig, version: 2, created: true },
  { change: "the code", next: otherCode, version: 2, created: true },
  { change: "code to none", next: { ...config, codeDigest: null }, version: 2, created: true },
];
for (const { change, next, version, created } of changes) {
  test(`a put that changes ${change} answers version ${version}`, () => {
    using it = new Opened();
    it.functions.putVersion("f", { ...config, atUs: 1 });
    assert.deepEqual(it.functions.putVersion("f", { ...next, atUs: 2 }), { version, created });
    const found = it.functions.describe("f");
    assert.equal(found?.latestVersion, version);
    assert.equal(found?.createdAtUs, 1);
    assert.equal(found?.updatedAtUs, created ? 2 : 1);
  });
}

test("a put without code that is repeated changes nothing", () => {
  using it = new Opened();
  const none = { configJson: "{}", codeDigest: null };
  it.functions.putVersion("f", none);
  assert.deepEqual(it.functions.putVersion("f", none), { version: 1, created: false });
});

test("a put that goes back to an older version makes a new one, and the old ones stay as they were", () => {
  using it = new Opened();
  it.functions.putVersion("f", { ...config, atUs: 1 });
  const first = it.functions.get("f", 1);
  assert.equal(first?.configJson, config.configJson);
  it.functions.putVersion("f", { ...otherConfig, atUs: 2 });
  assert.deepEqual(it.functions.putVersion("f", config), { version: 3, created: true });
  assert.deepEqual(it.functions.get("f", 1), first);
  const revisions = [1, 2, 3].map((version) => it.functions.get("f", version)?.revisionId);
  assert.equal(new Set(revisions).size, 3);
  assert.equal(it.functions.get("f", 2)?.configJson, otherConfig.configJson);
  assert.equal(it.functions.get("f", 4), undefined);
  assert.equal(it.functions.get("g"), undefined);
  assert.equal(it.functions.describe("g"), undefined);
});

test("the time of a version is now if none is given", () => {
  using it = new Opened();
  const before = Date.now() * 1000;
  it.functions.putVersion("f", config);
  const at = it.functions.get("f")?.createdAtUs ?? 0;
  assert.ok(at >= before && at <= Date.now() * 1000);
});

test("a config that is not JSON is refused and leaves no function behind", () => {
  using it = new Opened();
  assert.throws(() => it.functions.putVersion("f", { configJson: "{", codeDigest: null }));
  assert.equal(it.functions.describe("f"), undefined);
  assert.deepEqual(it.functions.list({ limit: 10 }), []);
  assert.deepEqual(it.functions.putVersion("f", config), { version: 1, created: true });
});

test("functions are paged by name", () => {
  using it = new Opened();
  for (const name of ["d", "b", "a", "c", "e"]) it.functions.putVersion(name, config);
  it.functions.putVersion("b", otherCode);
  const first = it.functions.list({ limit: 2 });
  assert.deepEqual(
    first.map((row) => [row.name, row.latestVersion, row.latest.codeDigest]),
    [
      ["a", 1, config.codeDigest],
      ["b", 2, otherCode.codeDigest],
    ],
  );
  it.functions.delete("b");
  const rest = it.functions.list({ limit: 10, after: "b" });
  assert.deepEqual(
    rest.map((row) => row.name),
    ["c", "d", "e"],
  );
});

test("versions are paged from the newest", () => {
  using it = new Opened();
  for (let index = 1; index <= 5; index += 1) {
    it.functions.putVersion("f", { configJson: `${index}`, codeDigest: null });
  }
  const first = it.functions.listVersions("f", { limit: 2 }).map((row) => row.version);
  assert.deepEqual(first, [5, 4]);
  const rest = it.functions.listVersions("f", { limit: 9, before: 4 }).map((row) => row.version);
  assert.deepEqual(rest, [3, 2, 1]);
  assert.deepEqual(it.functions.listVersions("g", { limit: 9 }), []);
});

test("a deleted function is gone with all versions, and deleting it again finds nothing", () => {
  using it = new Opened();
  it.functions.putVersion("f", config);
  it.functions.putVersion("f", otherCode);
  assert.equal(it.functions.delete("f"), true);
  assert.equal(it.functions.delete("f"), false);
  assert.equal(it.functions.delete("never"), false);
  assert.equal(it.functions.get("f"), undefined);
  assert.equal(it.functions.get("f", 1), undefined);
  assert.deepEqual(it.functions.list({ limit: 10 }), []);
  assert.deepEqual(it.functions.listVersions("f", { limit: 10 }), []);
});

test("a deleted version is gone, and the others stay", () => {
  using it = new Opened();
  it.functions.putVersion("f", config);
  it.functions.putVersion("f", otherCode);
  assert.equal(it.functions.deleteVersion("f", 1), true);
  assert.equal(it.functions.deleteVersion("f", 1), false);
  assert.equal(it.functions.get("f", 1), undefined);
  assert.equal(it.functions.get("f")?.version, 2);
});

test("a function that comes back goes on counting, so that no number means two things", () => {
  using it = new Opened();
  it.functions.putVersion("f", { ...config, atUs: 1 });
  it.functions.delete("f");
  assert.deepEqual(it.functions.putVersion("f", { ...config, atUs: 9 }), {
    version: 2,
    created: true,
  });
  assert.equal(it.functions.get("f", 1), undefined);
  assert.equal(it.functions.describe("f")?.createdAtUs, 9);
});

test("the code in use is that of all versions, not only of the latest", () => {
  using it = new Opened();
  it.functions.putVersion("f", config);
  it.functions.putVersion("f", otherCode);
  it.functions.putVersion("g", otherCode);
  it.functions.putVersion("h", { configJson: "{}", codeDigest: null });
  assert.deepEqual(
    it.functions.codeDigestsInUse(),
    new Set([config.codeDigest, otherCode.codeDigest]),
  );
  it.functions.delete("f");
  assert.deepEqual(it.functions.codeDigestsInUse(), new Set([otherCode.codeDigest]));
});

class Opened implements Disposable {
  readonly #directory = new TempDirectory();
  readonly #database = openDatabase(this.#directory.file("record.db"));
  readonly functions = new FunctionStore(this.#database);

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }
}
