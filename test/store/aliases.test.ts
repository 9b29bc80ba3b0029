import assert from "node:assert/strict";
import { test } from "node:test";
import { type AliasChange, AliasStore } from "../../store/aliases.ts";
import { openDatabase } from "../../store/database.ts";
import { FunctionStore } from "../../store/functions.ts";
import { TempDirectory } from "./temp-directory.ts";

const live: AliasChange = {
  functionName: "f",
  name: "live",
  version: 1,
  secondVersion: null,
  secondWeight: null,
  description: "what everybody calls",
  atUs: 7,
};
const weighted: AliasChange = { ...live, secondVersion: 2, secondWeight: 0.25, atUs: 9 };

test("an alias is read as it was put, and each put gives it another revision id", () => {
  using it = new Opened();
  const { atUs: _made, ...made } = live;
  const first = it.aliases.put(live);
  const { revisionId } = first;
  assert.deepEqual(first, { ...made, revisionId, createdAtUs: 7, updatedAtUs: 7 });
  assert.deepEqual(it.aliases.get("f", "live"), first);
  const { atUs: _changed, ...changed } = weighted;
  const second = it.aliases.put(weighted);
  assert.notEqual(second.revisionId, revisionId);
  const times = { revisionId: second.revisionId, createdAtUs: 7, updatedAtUs: 9 };
  assert.deepEqual(second, { ...changed, ...times });
  assert.equal(it.aliases.get("f", "other"), undefined);
});

test("aliases are paged by name, those of one function alone", () => {
  using it = new Opened();
  for (const name of ["c", "a", "b"]) it.aliases.put({ ...live, name });
  it.aliases.put({ ...live, functionName: "g", name: "z" });
  const names = (page: { limit: number; after?: string }): string[] =>
    it.aliases.list("f", page).map((row) => row.name);
  assert.deepEqual(names({ limit: 2 }), ["a", "b"]);
  assert.deepEqual(names({ limit: 2, after: "b" }), ["c"]);
});

test("both versions of an alias are named by it", () => {
  using it = new Opened();
  it.aliases.put(weighted);
  it.aliases.put({ ...live, name: "old" });
  assert.deepEqual(it.aliases.naming("f", 1), ["live", "old"]);
  assert.deepEqual(it.aliases.naming("f", 2), ["live"]);
  assert.deepEqual(it.aliases.naming("f", 3), []);
  assert.deepEqual(it.aliases.versionsNamed("f"), [1, 2]);
  assert.deepEqual(it.aliases.versionsNamed("g"), []);
});

test("a version that an alias names is neither missing nor deleted", () => {
  using it = new Opened();
  assert.throws(() => it.aliases.put({ ...live, version: 9 }), { message: /FOREIGN KEY/ });
  it.aliases.put(weighted);
  assert.throws(() => it.functions.deleteVersion("f", 2), { message: /FOREIGN KEY/ });
});

test("a deleted alias is gone, and with a function all of its aliases", () => {
  using it = new Opened();
  it.aliases.put(live);
  assert.equal(it.aliases.delete("f", "live"), true);
  assert.equal(it.aliases.delete("f", "live"), false);
  it.aliases.put(weighted);
  it.aliases.put({ ...live, functionName: "g" });
  assert.equal(it.functions.delete("f"), true);
  assert.equal(it.aliases.get("f", "live"), undefined);
  assert.equal(it.aliases.get("g", "live")?.version, 1);
});

class Opened implements Disposable {
  readonly #directory = new TempDirectory();
  readonly #database = openDatabase(this.#directory.file("record.db"));
  readonly functions = new FunctionStore(this.#database);
  readonly aliases = new AliasStore(this.#database);

  constructor() {
    for (const configJson of ["1", "2", "3"]) {
      this.functions.putVersion("f", { configJson, codeDigest: null });
    }
    this.functions.putVersion("g", { configJson: "1", codeDigest: null });
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }
}
