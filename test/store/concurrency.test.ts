import assert from "node:assert/strict";
import { test } from "node:test";
import { ConcurrencyStore } from "../../store/concurrency.ts";
import { openDatabase } from "../../store/database.ts";
import { FunctionStore } from "../../store/functions.ts";
import { tempDir } from "../support/temp-dir.ts";

test("what is set for a function is read back, replaced, and gone with the function", async () => {
  await using dir = await tempDir();
  using database = openDatabase(dir.file("a.db"));
  const functions = new FunctionStore(database);
  const concurrency = new ConcurrencyStore(database);
  for (const name of ["b", "a"]) {
    functions.putVersion(name, { configJson: "{}", codeDigest: null });
    const functionName = name;
    concurrency.put({ functionName, reserved: 2, provisioned: null, provisionedAtUs: 1 });
  }
  const full = { functionName: "a", reserved: 0, provisioned: 3, provisionedAtUs: 5 };
  concurrency.put(full);
  assert.deepEqual(concurrency.get("a"), full);
  assert.deepEqual(
    concurrency.all().map(({ functionName, reserved }) => [functionName, reserved]),
    [
      ["a", 0],
      ["b", 2],
    ],
  );
  functions.delete("a");
  assert.equal(concurrency.get("a"), undefined);
  assert.deepEqual([concurrency.delete("b"), concurrency.delete("b")], [true, false]);
  assert.deepEqual(concurrency.all(), []);
});
