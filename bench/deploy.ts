import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { untilAborted } from "../runtime/deadline.ts";
import { alternate } from "./harness/alternate.ts";
import type { Bench, Context } from "./harness/bench.ts";
import { startChild } from "./harness/child.ts";
import { startServer } from "./harness/server.ts";
import { medianAtMost } from "./harness/verdicts.ts";

const name = "deploy";
const stock = 4;
const entry = join(import.meta.dirname, "../api/cli/main.ts");

/**
 * From code that has changed to the first answer of the new version; and from the file that was saved to the answer
 * on the screen of `runlet dev`, which waits for 50 ms without a further change.
 */
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
    const dev = await startDev(server.url, context);
    const save = async (): Promise<number> => {
      const answer = String(++count);
      const startedAt = performance.now();
      await dev.save(answer);
      return performance.now() - startedAt;
    };
    const samples = await alternate(
      [
        { name: "runlet", samples: runs, settle, sample },
        { name: "runlet@dev", samples: runs, settle, sample: save },
      ],
      context,
    );
    return [
      {
        name,
        unit: "ms",
        better: "lower",
        samples,
        judge: (result) => [
          medianAtMost(result, 500, "ms"),
          medianAtMost(result, 1000, "ms", "runlet@dev"),
        ],
      },
    ];
  },
};

interface Dev {
  /** Saves a function with this answer, and waits until it is shown. */
  save(answer: string): Promise<void>;
}

/** Has `runlet dev` watch a directory, for the rest of the bench. */
async function startDev(url: string, { directory, stack, signal }: Context): Promise<Dev> {
  const path = join(directory, "saved");
  await mkdir(path);
  const write = async (answer: string): Promise<void> =>
    await writeFile(join(path, "index.mjs"), `export const handler = () => ${answer};`);
  await write("0");
  const child = stack.use(
    await startChild(process.execPath, {
      args: [entry, "dev", path, "--json", "--url", url],
      stdio: ["ignore", "pipe", "ignore"],
      graceMs: 5_000,
    }),
  );
  const { stdout } = child.process;
  if (stdout === null) throw new Error("A command has no standard output");
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const seen = async (what: string): Promise<void> => {
    for (;;) {
      const line = await untilAborted(lines.next(), signal);
      if (line.done) throw new Error("`runlet dev` ended early");
      if (line.value.includes(what)) return;
    }
  };
  await seen('"invoked"');
  return {
    save: async (answer) => {
      await write(answer);
      await seen(`"answer":${answer}}`);
    },
  };
}
