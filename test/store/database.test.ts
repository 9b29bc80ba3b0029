import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import Sqlite from "better-sqlite3";
import { openDatabase } from "../../store/database.ts";
import { FunctionStore } from "../../store/functions.ts";
import { TempDirectory } from "./temp-directory.ts";

test("a new record has the settings that the promises rest on", () => {
  using directory = new TempDirectory();
  using database = openDatabase(directory.file("record.db"));
  const settings = { journal_mode: "wal", synchronous: 1, foreign_keys: 1, busy_timeout: 100 };
  for (const [name, value] of Object.entries(settings)) {
    assert.equal(database.connection.pragma(name, { simple: true }), value, name);
  }
});

test("every table of the record is strict", () => {
  using directory = new TempDirectory();
  using database = openDatabase(directory.file("record.db"));
  const tables = (
    database.connection.pragma("table_list") as { name: string; type: string; strict: number }[]
  ).filter((table) => table.type === "table" && !table.name.startsWith("sqlite_"));
  const names = tables.map((table) => table.name);
  for (const name of ["function_versions", "functions", "invocations"]) {
    assert.ok(names.includes(name), name);
  }
  for (const table of tables) assert.equal(table.strict, 1, table.name);
});

test("what was written is there after the record is opened again", () => {
  using directory = new TempDirectory();
  const path = directory.file("record.db");
  {
    using database = openDatabase(path);
    new FunctionStore(database).putVersion("hello", { configJson: "{}", codeDigest: null });
  }
  using database = openDatabase(path);
  assert.equal(new FunctionStore(database).get("hello")?.version, 1);
});

test("closing the record twice is harmless", () => {
  using directory = new TempDirectory();
  const database = openDatabase(directory.file("record.db"));
  database[Symbol.dispose]();
  database[Symbol.dispose]();
  assert.equal(database.connection.open, false);
});

test("a record of a newer schema is refused and left as it is", () => {
  using directory = new TempDirectory();
  const path = directory.file("record.db");
  openDatabase(path)[Symbol.dispose]();
  {
    using stack = new DisposableStack();
    const other = stack.adopt(new Sqlite(path), (it) => it.close());
    other.pragma("user_version = 4711");
  }
  const before = readFileSync(path);
  assert.throws(() => openDatabase(path), {
    message: /^Cannot open the record .*: its schema is version 4711 and .* Use the Runlet that/,
  });
  assert.deepEqual(readFileSync(path), before);
});

test("a file that is no record is refused with its path and the fact", () => {
  using directory = new TempDirectory();
  const path = directory.file("record.db");
  writeFileSync(path, "no database at all. ".repeat(100));
  assert.throws(() => openDatabase(path), {
    message: `Cannot open the record ${path}: file is not a database`,
  });
});

test("a sound record has no damage, and a file with overwritten pages has some", () => {
  using directory = new TempDirectory();
  const path = directory.file("record.db");
  {
    using database = openDatabase(path);
    const functions = new FunctionStore(database);
    for (let index = 0; index < 500; index += 1) {
      functions.putVersion(`function-${index}`, { configJson: "{}", codeDigest: "a".repeat(64) });
    }
    assert.deepEqual(database.findDamage(), []);
  }
  const bytes = readFileSync(path);
  bytes.fill(0xff, bytes.length - 3 * 4096);
  writeFileSync(path, bytes);
  using database = openDatabase(path);
  assert.notDeepEqual(database.findDamage(), []);
});

test("a row that refers to nothing is damage", () => {
  using directory = new TempDirectory();
  using database = openDatabase(directory.file("record.db"));
  database.connection.pragma("foreign_keys = OFF");
  database.connection.exec(
    `INSERT INTO function_versions (function_name, version, config, revision_id, created_at_us)
     VALUES ('f', 1, '{}', 'r', 0)`,
  );
  assert.deepEqual(database.findDamage(), ["row 1 of function_versions refers to nothing"]);
});
