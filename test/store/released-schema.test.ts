import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import Sqlite from "better-sqlite3";
import { openDatabase } from "../../store/database.ts";
import { migrate, released } from "../../store/migrations.ts";
import { TempDirectory } from "./temp-directory.ts";

/** A record as the first step of the schema made it, with rows in each table. It is never written anew. */
const firstRecord = readFileSync(join(import.meta.dirname, "../fixtures/record-1.sql"), "utf8");

test("the first step of the schema makes what it made when it was released", () => {
  using files = new TempDirectory();
  using stack = new DisposableStack();
  const [made, kept] = ["made.db", "kept.db"].map((name) =>
    stack.adopt(new Sqlite(files.file(name)), (it) => it.close()),
  ) as [Sqlite.Database, Sqlite.Database];
  migrate(made, released.slice(0, 1));
  kept.exec(firstRecord);
  assert.deepEqual(
    schemaOf(made),
    schemaOf(kept),
    "a released step of the schema has changed: write a new step that changes what it made",
  );
});

test("a record of the first release opens with all its rows, and is sound", () => {
  using files = new TempDirectory();
  const path = files.file("runlet.db");
  let before: Record<string, unknown[]>;
  {
    using stack = new DisposableStack();
    const connection = stack.adopt(new Sqlite(path), (it) => it.close());
    connection.exec(firstRecord);
    before = rowsOf(connection);
  }
  for (const [table, rows] of Object.entries(before)) {
    assert.ok(rows.length > 0, `the record of the first release has nothing in ${table}`);
  }
  using database = openDatabase(path);
  const { connection } = database;
  assert.equal(connection.pragma("user_version", { simple: true }), released.length);
  const after = rowsOf(connection);
  for (const [table, rows] of Object.entries(before)) {
    // A later step may add to a row what an older one had not.
    assert.equal(after[table]?.length, rows.length, table);
    for (const [index, row] of rows.entries())
      assert.partialDeepStrictEqual(after[table]?.[index], row);
  }
  assert.deepEqual(database.findDamage(), []);
});

/** What has been made, by its name, however it is laid out. */
function schemaOf(connection: Sqlite.Database): Record<string, string> {
  const rows = connection
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL",
    )
    .all();
  return Object.fromEntries(rows.map(({ name, sql }) => [name, sql.replaceAll(/\s+/g, " ")]));
}

function rowsOf(connection: Sqlite.Database): Record<string, unknown[]> {
  const tables = connection
    .prepare<[], string>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .pluck()
    .all();
  return Object.fromEntries(
    tables.map((table) => [
      table,
      connection.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all(),
    ]),
  );
}
