import assert from "node:assert/strict";
import { test } from "node:test";
import { Keys } from "../../../api/domain/keys/keys.ts";
import { openDatabase } from "../../../store/database.ts";
import { KeyStore } from "../../../store/keys.ts";

test("keys are the same for the next process that opens the record", () => {
  using database = openDatabase(":memory:");
  const keys = new Keys({ store: new KeyStore(database), onError });
  const good = keys.create({ name: "good", scopes: ["admin", "admin"], limits: {} });
  const bad = keys.create({ name: "bad", scopes: ["invoke"], limits: {} });
  keys.revoke(bad.id);
  const next = new Keys({ store: new KeyStore(database), onError });
  assert.deepEqual(next.use(good.key).scopes, ["admin"]);
  assert.throws(() => next.use(bad.key), { code: "unauthenticated", message: /was revoked/ });
  assert.deepEqual([next.has("admin"), next.has("invoke")], [true, false]);
  const { items } = next.list({ limit: 1, before: undefined });
  assert.equal(items.length, 1);
});

test("a key that could not be handed over does not count", () => {
  using database = openDatabase(":memory:");
  const keys = new Keys({ store: new KeyStore(database), onError: () => {} });
  const spec = { name: "first", scopes: ["admin" as const], limits: {} };
  assert.throws(() => keys.create(spec, failToWrite), /disk full/);
  assert.equal(keys.has("admin"), false);
});

test("a key is good though its last use cannot be put on record", () => {
  const errors: unknown[] = [];
  const database = openDatabase(":memory:");
  const keys = new Keys({ store: new KeyStore(database), onError: (error) => errors.push(error) });
  const { id, key } = keys.create({ name: "app", scopes: ["invoke"], limits: {} });
  database[Symbol.dispose]();
  assert.equal(keys.use(key).id, id);
  assert.equal(keys.use(key).id, id);
  assert.equal(errors.length, 1);
});

function onError(error: unknown): void {
  assert.fail(String(error));
}

function failToWrite(): never {
  throw new Error("disk full");
}
