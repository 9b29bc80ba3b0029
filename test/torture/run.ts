import { parseArgs } from "node:util";
import { torture } from "./torture.ts";

const { values } = parseArgs({ options: { kills: { type: "string", default: "100" } } });
const tally = await torture(Number(values.kills), (kill, moment, told) => {
  const { answered, accepted, sandboxes } = told;
  console.log(
    `kill ${kill}, ${moment}: ${answered} answered, ${accepted} accepted, ${sandboxes} sandboxes`,
  );
});
console.log(`held: ${JSON.stringify(tally)}`);
