import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Aliases } from "../../../api/domain/aliases.ts";
import { Versions } from "../../../api/domain/versions.ts";
import { functionConfig } from "../../../api/schema/function.ts";
import { AliasStore } from "../../../store/aliases.ts";
import { openDatabase } from "../../../store/database.ts";
import { FunctionStore } from "../../../store/functions.ts";
import { tempDir } from "../../support/temp-dir.ts";

const weights: { weight: number; draws: number[]; picks: number[] }[] = [
  { weight: 0, draws: [0, 0.5, 0.999], picks: [1, 1, 1] },
  { weight: 0.25, draws: [0, 0.249, 0.25, 0.999], picks: [2, 2, 1, 1] },
  { weight: 1, draws: [0, 0.5, 0.999], picks: [2, 2, 2] },
];

for (const { weight, draws, picks } of weights) {
  test(`a weight of ${weight} sends that share of the calls to the second version`, async () => {
    await using dir = await tempDir();
    using database = openDatabase(join(dir.path, "record.db"));
    const store = new FunctionStore(database);
    for (const id of ["a", "b"]) {
      const config = functionConfig.parse({ runtime: "command", command: ["echo", id] });
      store.putVersion("f", { configJson: JSON.stringify(config), codeDigest: null });
    }
    const left = [...draws];
    const changed: string[] = [];
    const aliases = new Aliases({
      store: new AliasStore(database),
      versions: new Versions(store),
      dependents: () => [],
      onChange: (name) => changed.push(name),
      random: () => left.shift() ?? assert.fail("drew too often"),
    });
    aliases.put("f", "live", { version: 1, second: { version: 2, weight }, description: "" });
    assert.deepEqual(
      draws.map(() => aliases.pick("f", "live")),
      picks,
    );
    assert.deepEqual(changed, ["f"]);
  });
}
