import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../store/database.ts";
import { type IdempotencyKeyRow, IdempotencyKeyStore } from "../../store/idempotency-keys.ts";
import { TempDirectory } from "./temp-directory.ts";

const row: IdempotencyKeyRow = {
  functionName: "f",
  key: "k",
  requestDigest: "d",
  answerJson: '{"a":1}',
  body: Buffer.from([0, 255]),
  expiresAtUs: 100,
};

test("a key is kept for its function until it expires", () => {
  using it = new Opened();
  it.keys.put(row, 0);
  assert.deepEqual(it.keys.get("f", "k", 99), row);
  assert.equal(it.keys.get("f", "k", 100), undefined);
  assert.equal(it.keys.get("g", "k", 0), undefined);
  assert.equal(it.keys.get("f", "K", 0), undefined);
});

test("a key that has expired may be put again", () => {
  using it = new Opened();
  it.keys.put(row, 0);
  const next = { ...row, body: null, expiresAtUs: 200 };
  it.keys.put(next, 100);
  assert.deepEqual(it.keys.get("f", "k", 100), next);
});

test("keys that have expired are removed as others come, sooner than these come", () => {
  using it = new Opened();
  for (let at = 0; at < 25; at++) it.keys.put({ ...row, key: String(at) }, 0);
  const counts = [100, 101, 102].map((atUs) => {
    it.keys.put({ ...row, key: `late-${atUs}`, expiresAtUs: 1000 }, atUs);
    return it.count();
  });
  assert.deepEqual(counts, [16, 7, 3]);
});

class Opened implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #database;
  readonly keys: IdempotencyKeyStore;

  constructor() {
    const directory = this.#stack.use(new TempDirectory());
    this.#database = this.#stack.use(openDatabase(directory.file("record.db")));
    this.keys = new IdempotencyKeyStore(this.#database);
  }

  count(): unknown {
    const { connection } = this.#database;
    return connection.prepare("SELECT count(*) FROM idempotency_keys").pluck().get();
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
