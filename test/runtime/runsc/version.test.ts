import assert from "node:assert/strict";
import { test } from "node:test";
import { isSupportedRunsc, runscReleaseDate } from "../../../runtime/runsc/version.ts";

const table: [string, number | undefined, boolean][] = [
  ["runsc version 0.0~20240729.0\nspec: 1.1.0-rc.1\n", 20240729, true],
  ["runsc version release-20240729.0\nspec: 1.1.0-rc.1\n", 20240729, true],
  ["runsc version release-20260821.0-12-g3c5eee17d\n", 20260821, true],
  ["runsc version 0.0~20221219.0\n", 20221219, false],
  ["runsc version release-20240728.0\n", 20240728, false],
  ["runsc version VERSION_MISSING\n", undefined, false],
  ["", undefined, false],
];
for (const [output, date, isSupported] of table) {
  test(`${JSON.stringify(output)} is ${isSupported ? "new enough" : "refused"}`, () => {
    assert.equal(runscReleaseDate(output), date);
    assert.equal(isSupportedRunsc(output), isSupported);
  });
}
