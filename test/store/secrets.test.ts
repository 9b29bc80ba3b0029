import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "../../store/database.ts";
import { SecretStore } from "../../store/secrets.ts";
import { tempDir } from "../support/temp-dir.ts";

const key = randomBytes(32);
const value = "a value that nobody else has";

test("a value is read back, replaced and deleted", async () => {
  await using dir = await tempDir();
  using database = openDatabase(dir.file("a.db"));
  const secrets = new SecretStore(database, key);
  secrets.put("b", value, 5);
  secrets.put("a", "other", 6);
  secrets.put("b", `${value} \u{1F511}`, 7);
  assert.equal(secrets.read("b"), `${value} \u{1F511}`);
  assert.deepEqual(secrets.list({ limit: 5 }), [
    { name: "a", createdAtUs: 6, updatedAtUs: 6 },
    { name: "b", createdAtUs: 5, updatedAtUs: 7 },
  ]);
  assert.deepEqual(secrets.list({ limit: 1, after: "a" }).length, 1);
  assert.deepEqual([secrets.delete("b"), secrets.delete("b")], [true, false]);
  assert.equal(secrets.read("b"), undefined);
});

test("no file of the database holds a value, and the same value never looks the same", async () => {
  await using dir = await tempDir();
  using database = openDatabase(dir.file("a.db"));
  const secrets = new SecretStore(database, key);
  secrets.put("a", value, 1);
  secrets.put("b", value, 1);
  for (const name of readdirSync(dir.path)) {
    assert.ok(!readFileSync(join(dir.path, name)).includes(value), name);
  }
  const sealed = database.connection
    .prepare("SELECT substr(sealed, 29) FROM secrets")
    .pluck()
    .all();
  assert.notDeepEqual(sealed[0], sealed[1]);
});

const tampers = [
  { what: "sealed with another key", key: randomBytes(32), sql: "SELECT 1" },
  {
    what: "of another name",
    key,
    sql: "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'b') WHERE name = 'a'",
  },
  {
    what: "changed by one bit",
    key,
    sql: "UPDATE secrets SET sealed = CAST(sealed || x'00' AS BLOB) WHERE name = 'a'",
  },
  { what: "cut short", key, sql: "UPDATE secrets SET sealed = x'00' WHERE name = 'a'" },
];

for (const { what, key: reader, sql } of tampers) {
  test(`a value ${what} is not opened, and the error names the secret alone`, async () => {
    await using dir = await tempDir();
    using database = openDatabase(dir.file("a.db"));
    const secrets = new SecretStore(database, key);
    secrets.put("a", value, 1);
    secrets.put("b", "other", 1);
    database.connection.exec(sql);
    const open = (): unknown => new SecretStore(database, reader).read("a");
    assert.throws(open, (error: Error) => {
      assert.match(error.message, /^Cannot open secret a: the key file is not the one/);
      return !error.message.includes(value);
    });
  });
}
