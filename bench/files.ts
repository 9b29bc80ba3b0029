import type { Bench } from "./harness/bench.ts";
import { startServer } from "./harness/server.ts";
import { medianAtLeast, medianAtMost } from "./harness/verdicts.ts";

const largeBytes = 100 * 1024 * 1024;
const pieceBytes = 256 * 1024;

/** What files of a sandbox cost: small ones in time, large ones in bytes a second. */
export const files: Bench = {
  name: "files",
  summary:
    "files of a sandbox: write and read of 1 KB, and 100 MB up and down (files-up, files-down)",
  peers: [],
  defaultRuns: 200,
  counts: "small files; a twentieth as many large ones",
  run: async (context) => {
    const { runs, progress } = context;
    const { client } = await startServer(context);
    const { id } = await client.createSandbox();
    const small = Buffer.alloc(1024, "runlet");
    const times: number[] = [];
    for (let left = runs; left > 0; left--) {
      const start = performance.now();
      await client.writeFile(id, "small", small);
      await client.readText(id, "small");
      times.push(performance.now() - start);
    }
    const up: number[] = [];
    const down: number[] = [];
    for (let left = Math.ceil(runs / 20); left > 0; left--) {
      progress(`large files: ${left} left`);
      up.push(await rate(async () => void (await client.writeFile(id, "large", pieces()))));
      down.push(
        await rate(async () => {
          for await (const _ of await client.readFile(id, "large"));
        }),
      );
    }
    const unit = "MB/s";
    return [
      {
        name: "files",
        unit: "ms",
        better: "lower",
        samples: new Map([["runlet", times]]),
        judge: (result) => [medianAtMost(result, 2, "ms")],
      },
      {
        name: "files-up",
        unit,
        better: "higher",
        samples: new Map([["runlet", up]]),
        judge: (result) => [medianAtLeast(result, 200, unit)],
      },
      {
        name: "files-down",
        unit,
        better: "higher",
        samples: new Map([["runlet", down]]),
        judge: (result) => [medianAtLeast(result, 200, unit)],
      },
    ];
  },
};

async function* pieces(): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(pieceBytes, "runlet");
  for (let sent = 0; sent < largeBytes; sent += pieceBytes) yield piece;
}

async function rate(move: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await move();
  return largeBytes / 1e6 / ((performance.now() - start) / 1000);
}
