import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { elementsIn } from "../../../api/routes/array-elements.ts";

test("the elements of an array are cut out of its text where JSON has them, whatever they hold", () => {
  const elements = fc.array(fc.jsonValue({ stringUnit: "binary" }), { minLength: 1 });
  fc.assert(
    fc.property(elements, fc.nat({ max: 3 }), (events, indent) => {
      const json = JSON.stringify({ events }, undefined, indent);
      const texts = elementsIn(json).map((text) => text.trim());
      assert.deepEqual(
        texts.map((text) => JSON.stringify(JSON.parse(text))),
        events.map((event) => JSON.stringify(event)),
      );
    }),
  );
});

const texts: [string, string[]][] = [
  ['{"events":[1,2],"events":[3]}', ["3"]],
  ['{"events":[12345678901234567890, 1.0]}', ["12345678901234567890", " 1.0"]],
  [String.raw`{"events":["\\\"]", "[,"]}`, [String.raw`"\\\"]"`, ' "[,"']],
  ['{"events":[{"a":[1,2]},[[],{}]]}', ['{"a":[1,2]}', "[[],{}]"]],
];
for (const [json, expected] of texts) {
  test(`the elements of ${json} are as they are written there`, () => {
    assert.deepEqual(elementsIn(json), expected);
  });
}
