import { inspect, parseArgs } from "node:util";
import { startFuzzed } from "./fuzz.ts";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "200" }, seed: { type: "string" } },
});
await using fuzzed = await startFuzzed();
for (const operation of fuzzed.operations) {
  const seed = values.seed === undefined ? undefined : Number(values.seed);
  try {
    await fuzzed.fuzz(operation, Number(values.runs), seed);
    console.log(`held    ${operation}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`failed  ${operation}\n${inspect(error)}`);
  }
}
await fuzzed.unharmed();
