import { parseArgs } from "node:util";
import { torture } from "./torture.ts";

const { values } = parseArgs({ options: { kills: { type: "string", default: "100" } } });
const tally = await torture(Number(values.kills), (kill, { answered, accepted, sandboxes }) => {
  console.log(`kill ${kill}: ${answered} answered, ${accepted} accepted, ${sandboxes} sandboxes`);
});
console.log(`held: ${JSON.stringify(tally)}`);
