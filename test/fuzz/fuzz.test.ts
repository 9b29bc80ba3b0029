import { after, suite, test } from "node:test";
import { startFuzzed } from "./fuzz.ts";

/** `npm run fuzz` sends more, and other ones. */
const runs = 6;
const seed = 1;

const fuzzed = await startFuzzed();
after(async () => await fuzzed[Symbol.asyncDispose]());

suite("whatever is sent to it,", () => {
  for (const operation of fuzzed.operations) {
    test(`${operation} answers as the document has it, and only to keys of its scopes`, async () => {
      await fuzzed.fuzz(operation, runs, seed);
    });
  }

  test("the server is well afterwards", async () => await fuzzed.unharmed());
});
