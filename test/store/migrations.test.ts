import assert from "node:assert/strict";
import { test } from "node:test";
import Sqlite from "better-sqlite3";
import { migrate, type Migration, released } from "../../store/migrations.ts";
import { TempDirectory } from "./temp-directory.ts";

test("the released steps are numbered 1, 2, 3 without a gap", () => {
  assert.deepEqual(
    released.map((step) => step.version),
    released.map((_, index) => index + 1),
  );
});

for (let version = 0; version <= released.length; version += 1) {
  test(`a record of version ${version} gets the same schema as a new one`, () => {
    using files = new Files();
    const fresh = files.open("fresh.db");
    migrate(fresh);
    const old = files.open("old.db");
    migrate(old, released.slice(0, version));
    assert.equal(versionOf(old), version);
    assert.equal(migrate(old), released.length - version);
    assert.deepEqual(schemaOf(old), schemaOf(fresh));
    assert.equal(versionOf(old), released.length);
  });
}

const steps: readonly Migration[] = [
  { version: 1, name: "one", sql: "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1)" },
  { version: 2, name: "two", sql: "ALTER TABLE a ADD COLUMN y TEXT; UPDATE a SET y = 'kept'" },
  { version: 3, name: "three", sql: "CREATE TABLE b (x INTEGER) STRICT" },
];

test("data made by an earlier step is carried through the later ones", () => {
  using files = new Files();
  const connection = files.open("record.db");
  migrate(connection, steps.slice(0, 1));
  connection.exec("INSERT INTO a VALUES (2)");
  assert.equal(migrate(connection, steps), 2);
  assert.deepEqual(connection.prepare("SELECT x, y FROM a ORDER BY x").all(), [
    { x: 1, y: "kept" },
    { x: 2, y: "kept" },
  ]);
});

test("a step that fails half-way leaves nothing of itself and all of the steps before it", () => {
  using files = new Files();
  const connection = files.open("record.db");
  const broken = { version: 2, name: "two", sql: "CREATE TABLE c (x) ; CREATE TABLE a (x)" };
  assert.throws(() => migrate(connection, [steps[0]!, broken, steps[2]!]), {
    message: "step 2 (two) of the schema failed: table a already exists",
  });
  assert.equal(versionOf(connection), 1);
  assert.deepEqual(
    schemaOf(connection).map((row) => row.name),
    ["a"],
  );
});

test("a step that leaves a row referring to nothing is undone", () => {
  using files = new Files();
  const connection = files.open("record.db");
  connection.pragma("foreign_keys = OFF");
  const sql =
    "CREATE TABLE p (id TEXT PRIMARY KEY); CREATE TABLE c (p TEXT REFERENCES p (id)); INSERT INTO c VALUES ('gone')";
  assert.throws(() => migrate(connection, [{ version: 1, name: "one", sql }]), {
    message: /refer to nothing/,
  });
  assert.equal(versionOf(connection), 0);
  assert.deepEqual(schemaOf(connection), []);
});

test("a schema that is newer than the last step is refused", () => {
  using files = new Files();
  const connection = files.open("record.db");
  migrate(connection, steps);
  assert.throws(() => migrate(connection, steps.slice(0, 2)), {
    message: /schema is version 3 and this Runlet knows versions up to 2/,
  });
});

test("steps out of order are refused before any of them is applied", () => {
  using files = new Files();
  const connection = files.open("record.db");
  assert.throws(() => migrate(connection, [steps[0]!, steps[2]!]), {
    message: /stands at place 2/,
  });
  assert.equal(versionOf(connection), 0);
});

test("the invocations that are on record already are counted by minute as new ones are", () => {
  using files = new Files();
  const [old, fresh] = [files.open("old.db"), files.open("fresh.db")];
  migrate(old, released.slice(0, 1));
  migrate(fresh);
  for (const connection of [old, fresh]) connection.exec(someInvocations);
  migrate(old);
  const [migrated, counted] = [old, fresh].map((connection) =>
    connection.prepare("SELECT * FROM invocation_minutes").all(),
  );
  assert.equal(migrated?.length, 4);
  assert.deepEqual(migrated, counted);
});

const someInvocations = `
  WITH RECURSIVE place(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM place WHERE i < 99)
  INSERT INTO invocations (id, kind, function_name, status, start_kind, queued_at_us,
    stdout_bytes, stdout_truncated, stderr_bytes, stderr_truncated)
  SELECT printf('%02d', i), iif(i % 7 = 0, 'build', 'invoke'), iif(i % 11 = 0, NULL, 'f' || (i % 2)),
    CASE i % 5 WHEN 0 THEN 'failed' WHEN 1 THEN 'timed_out' WHEN 2 THEN 'lost'
      WHEN 3 THEN 'cancelled' ELSE 'succeeded' END,
    CASE i % 4 WHEN 0 THEN 'cold' WHEN 1 THEN 'warm' WHEN 2 THEN 'pooled' END,
    i * 1000000, 0, 0, 0, 0
  FROM place`;

class Files implements Disposable {
  readonly #directory = new TempDirectory();
  readonly #stack = new DisposableStack();

  constructor() {
    this.#stack.use(this.#directory);
  }

  open(name: string): Sqlite.Database {
    return this.#stack.adopt(new Sqlite(this.#directory.file(name)), (it) => it.close());
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

function schemaOf(connection: Sqlite.Database): { name: string; sql: string }[] {
  return connection
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_schema ORDER BY type, name",
    )
    .all();
}

function versionOf(connection: Sqlite.Database): unknown {
  return connection.pragma("user_version", { simple: true });
}
