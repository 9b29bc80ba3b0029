import type { FunctionSpecInput } from "../api/schema/function.ts";
import { alternate } from "./harness/alternate.ts";
import type { Bench, Context } from "./harness/bench.ts";
import { type Server, startServer } from "./harness/server.ts";
import { medianAtMost } from "./harness/verdicts.ts";

const chunks = 1000;
const bulkMegabytes = 64;
const mostBulkRuns = 10;
/** Says in its first chunk when it wrote that, by the clock that guest and host share. */
const source = `export async function* handler({ chunks, size }) {
  yield String(performance.timeOrigin + performance.now()) + "\\n";
  const chunk = Buffer.alloc(size, "x");
  for (let left = chunks - 1; left > 0; left--) yield chunk;
}`;
const spec: FunctionSpecInput = { runtime: "node", isolation: "reuse", code: { source } };

interface Streamed {
  readonly firstByteMs: number;
  readonly bytes: number;
}

/** The time from a function's first write to its caller's first byte, and megabytes a second of a long answer. */
export const stream: Bench = {
  name: "stream",
  summary: `a stream of ${chunks} chunks: first write to first byte, and MB/s (stream-rate)`,
  peers: [],
  defaultRuns: 100,
  counts: "streams",
  run: async (context) => {
    const server = await startServer(context);
    await server.heat();
    await server.client.deploy("stream", spec);
    const first = {
      name: "runlet",
      samples: context.runs,
      sample: async () => (await read(server, { chunks, size: 100 }, context)).firstByteMs,
    };
    const rate = {
      name: "runlet",
      samples: Math.min(mostBulkRuns, context.runs),
      sample: async () => await bulk(server, context),
    };
    return [
      {
        name: "stream",
        unit: "ms",
        better: "lower",
        samples: await alternate([first], context),
        facts: new Map([["runlet", { chunks }]]),
        judge: (result) => [medianAtMost(result, 10, "ms")],
      },
      {
        name: "stream-rate",
        unit: "MB/s",
        better: "higher",
        samples: await alternate([rate], context),
        facts: new Map([["runlet", { megabytes: bulkMegabytes }]]),
      },
    ];
  },
};

async function bulk(server: Server, context: Context): Promise<number> {
  const size = 65_536;
  const start = performance.now();
  const { bytes } = await read(server, { chunks: (bulkMegabytes * 1e6) / size, size }, context);
  return bytes / 1e6 / ((performance.now() - start) / 1000);
}

async function read({ client }: Server, event: object, { signal }: Context): Promise<Streamed> {
  const { body } = await client.invokeStream("stream", { event: JSON.stringify(event), signal });
  let firstByteMs: number | undefined;
  let bytes = 0;
  for await (const chunk of body) {
    firstByteMs ??= performance.timeOrigin + performance.now() - writtenAtMs(chunk);
    bytes += chunk.byteLength;
  }
  return { firstByteMs: firstByteMs ?? NaN, bytes };
}

function writtenAtMs(chunk: Uint8Array): number {
  return Number.parseFloat(Buffer.from(chunk).toString());
}
