import { alternate } from "./harness/alternate.ts";
import type { Bench } from "./harness/bench.ts";
import { startServer } from "./harness/server.ts";
import { medianAtMost } from "./harness/verdicts.ts";

const name = "deploy";
const stock = 4;

/** From code that has changed to the first answer of the new version, as at each save. */
export const deploy: Bench = {
  name,
  summary: "a save is an answer: code has changed, and the new version has answered",
  peers: [],
  defaultRuns: 50,
  counts: "versions",
  run: async (context) => {
    const { runs } = context;
    const server = await startServer(context, { RUNLET_POOL_FLOOR: String(stock) });
    await server.heat();
    // What is in stock is of a class that a function has asked for.
    await server.deploy("fresh");
    let count = 0;
    const sample = async (): Promise<number> => {
      const answer = String(++count);
      const startedAt = performance.now();
      const code = { source: `export const handler = () => ${answer};` };
      await server.client.deploy(name, { runtime: "node", code }, { check: false });
      const { body } = await server.client.invoke(name);
      const tookMs = performance.now() - startedAt;
      if (Buffer.from(body).toString() !== answer) throw new Error("An older version has answered");
      return tookMs;
    };
    const settle = async (): Promise<void> => await server.stocked(stock);
    const samples = await alternate([{ name: "runlet", samples: runs, settle, sample }], context);
    return [
      {
        name,
        unit: "ms",
        better: "lower",
        samples,
        judge: (result) => [medianAtMost(result, 500, "ms")],
      },
    ];
  },
};
