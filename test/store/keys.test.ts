import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../store/database.ts";
import { type KeyRow, KeyStore } from "../../store/keys.ts";
import { TempDirectory } from "./temp-directory.ts";

const row: KeyRow = {
  id: "a",
  hash: Buffer.alloc(32, 7),
  name: "ci",
  scopes: '["deploy"]',
  limits: "{}",
  createdAtUs: 1,
  expiresAtUs: 9,
  revokedAtUs: null,
  lastUsedAtUs: null,
};

test("keys outlive the process with when they were used and revoked, and stay revoked since then", () => {
  using directory = new TempDirectory();
  const other = { ...row, id: "b", expiresAtUs: null };
  {
    using database = openDatabase(directory.file("runlet.db"));
    const store = new KeyStore(database);
    store.add(other);
    store.add(row);
    store.touch("a", 5);
    store.revoke("a", 6);
    store.revoke("a", 7);
  }
  using database = openDatabase(directory.file("runlet.db"));
  const rows = new KeyStore(database).all();
  assert.deepEqual(rows, [{ ...row, lastUsedAtUs: 5, revokedAtUs: 6 }, other]);
});
