import type { Client } from "../api/client/client.ts";
import { alternate, type Contestant } from "./harness/alternate.ts";
import type { Bench, Context } from "./harness/bench.ts";
import { timedPeers, warmUpMs } from "./harness/contestants.ts";
import type { Measurement } from "./harness/result.ts";
import { startServer } from "./harness/server.ts";
import { medianAtMost, timesVariantAtMost } from "./harness/verdicts.ts";
import { isolators } from "./peers/names.ts";
import type { Isolator, Timed } from "./peers/peer.ts";

/** So many at once, and more than are in stock: each is to be opened all the same. */
const most = { atOnce: 20, crowd: 50 };
const fullRuns = 10;
const heatFactor = 4;
const memoryBytes = 128 * 1024 * 1024;
const program = { args: ["/bin/true"] };

/** What opening a sandbox costs, a command in it, and a pause. */
export const sandbox: Bench = {
  name: "sandbox",
  summary: "a sandbox: open (sandbox), 20 and 50 at once, run a program, pause and wake",
  peers: isolators,
  defaultRuns: 50,
  counts: `samples of each kind; fewer than ${fullRuns} open fewer at once`,
  run: async (context) => {
    const { runs } = context;
    const share = Math.min(1, runs / fullRuns);
    const [atOnce, crowd] = [Math.ceil(most.atOnce * share), Math.ceil(most.crowd * share)];
    const server = await startServer(context, {
      RUNLET_SANDBOX_STOCK: String(atOnce),
      RUNLET_MAX_SANDBOXES: "200",
      RUNLET_MAX_SANDBOX_MEMORY_BYTES: String(200 * memoryBytes),
    });
    const { client } = server;
    const { id } = await client.createSandbox({ memoryBytes });
    for (let left = context.runs * heatFactor; left > 0; left--) await timeRun(client, id);
    await server.stocked(atOnce);
    const settle = async (): Promise<void> => await server.stocked(atOnce);
    const opened = await context.peers.isolators();
    const open = await alternate(
      [
        {
          name: "runlet",
          samples: runs,
          chunk: 5,
          settle,
          sample: async () => await timeOpen(client),
        },
        {
          name: `runlet@${atOnce}`,
          samples: Math.ceil(runs / 10),
          chunk: 1,
          settle,
          sample: async () => await timeMany(client, atOnce),
        },
        {
          name: `runlet@${crowd}`,
          samples: Math.ceil(runs / 25),
          chunk: 1,
          settle,
          sample: async () => await timeMany(client, crowd),
        },
        ...timedPeers(opened, (isolator) => async () => await together(isolator, atOnce), {
          runs: Math.ceil(runs / 25),
          variant: String(atOnce),
        }),
        ...timedPeers(opened, (isolator) => async () => await isolator.program(), { runs }),
      ],
      context,
    );
    const ran = await alternate(
      [
        { name: "runlet", samples: runs, sample: async () => await timeRun(client, id) },
        inside(client, id, runs),
        ...timedPeers(opened, (isolator) => isolator.inside?.bind(isolator), { runs }),
      ],
      { ...context, warmUpMs },
    );
    return [
      measured("sandbox", open, (result) => [
        medianAtMost(result, 5, "ms"),
        medianAtMost(result, 200, "ms", `runlet@${atOnce}`),
      ]),
      measured("sandbox-run", ran, (result) => [
        medianAtMost(result, 20, "ms"),
        timesVariantAtMost(result, "runlet@inside", 1.5),
      ]),
      ...(await timePauses(client, id, context)),
    ];
  },
};

function measured(
  name: string,
  samples: Map<string, number[]>,
  judge: NonNullable<Measurement["judge"]>,
): Measurement {
  return { name, unit: "ms", better: "lower", samples, judge };
}

async function timeOpen(client: Client): Promise<number> {
  const start = performance.now();
  const { id } = await client.createSandbox({ memoryBytes });
  const elapsedMs = performance.now() - start;
  await client.removeSandbox(id);
  return elapsedMs;
}

/** Until the last of them is ready. @throws where one is refused. */
async function timeMany(client: Client, count: number): Promise<number> {
  const start = performance.now();
  const opening = Array.from(
    { length: count },
    async () => await client.createSandbox({ memoryBytes }),
  );
  const opened = await Promise.all(opening);
  const elapsedMs = performance.now() - start;
  await Promise.all(opened.map(async ({ id }) => await client.removeSandbox(id)));
  return elapsedMs;
}

/** As many containers of a peer, until the last of them has ended. */
async function together(isolator: Isolator, atOnce: number): Promise<Timed> {
  const startedAtMs = performance.now();
  const each = Array.from({ length: atOnce }, async () => await isolator.program());
  const all = await Promise.all(each);
  return { startedAtMs, answeredAtMs: Math.max(...all.map(({ answeredAtMs }) => answeredAtMs)) };
}

async function timeRun(client: Client, id: string): Promise<number> {
  const start = performance.now();
  const { exitCode } = await client.runCommand(id, program);
  if (exitCode !== 0) throw new Error(`Cannot measure a command: it ended with ${exitCode}`);
  return performance.now() - start;
}

/** The same program, started, listened to and waited for by a process inside that has slept until then, as the agent has. */
const spawnInside = `import statistics, subprocess, time
times = []
for _ in range(5):
    time.sleep(0.003)
    at = time.perf_counter()
    subprocess.run(["/bin/true"], stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True)
    times.append(time.perf_counter() - at)
print(statistics.median(times) * 1000)
`;

function inside(client: Client, id: string, runs: number): Contestant {
  const sample = async (): Promise<number> => {
    const { stdout } = await client.runCommand(id, { args: ["python3", "-c", spawnInside] });
    return Number(stdout.text);
  };
  return { name: "runlet@inside", samples: runs, sample };
}

async function timePauses(client: Client, id: string, { runs }: Context): Promise<Measurement[]> {
  const pauses: number[] = [];
  const wakes: number[] = [];
  for (let left = runs; left > 0; left--) {
    const start = performance.now();
    await client.pauseSandbox(id);
    const paused = performance.now();
    await client.resumeSandbox(id);
    await client.listFiles(id, "/tmp");
    pauses.push(paused - start);
    wakes.push(performance.now() - paused);
  }
  return [
    measured("sandbox-pause", new Map([["runlet", pauses]]), (result) => [
      medianAtMost(result, 5, "ms"),
    ]),
    measured("sandbox-wake", new Map([["runlet", wakes]]), (result) => [
      medianAtMost(result, 5, "ms"),
    ]),
  ];
}
