import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Client } from "../api/client/client.ts";
import { alternate, type Contestant } from "./harness/alternate.ts";
import type { Bench, Context } from "./harness/bench.ts";
import { besideOthers, warmUpMs } from "./harness/contestants.ts";
import type { BenchResult, Verdict } from "./harness/result.ts";
import { startServer } from "./harness/server.ts";
import { medianAtLeast, medianAtMost } from "./harness/verdicts.ts";
import type { PeerName } from "./peers/names.ts";
import { elapsedMs, type Isolator } from "./peers/peer.ts";

const mebibyte = 1024 * 1024;
const largeBytes = 100 * mebibyte;
/** What fewer than `fullRuns` send, to see that all works. */
const shortBytes = 4 * mebibyte;
const fullRuns = 20;
/** Unmeasured rounds for each one that is measured: so many it takes until V8 has compiled what runs. */
const heatFactor = 8;
const pieceBytes = 256 * 1024;
/** An engine's command line takes a tenth of a second and more. */
const mostCopies = 20;
const curlVariant = "runlet@curl";
const unit = "MB/s";

/** What files of a sandbox cost: small ones in time, large ones in bytes a second. */
export const files: Bench = {
  name: "files",
  summary:
    "files of a sandbox: write and read of 1 KB, and 100 MB up and down (files-up, files-down)",
  peers: ["docker-runsc", "docker-runc", "podman"],
  defaultRuns: 200,
  counts: `small files, and a twentieth as many large ones; fewer than ${fullRuns} are of ${shortBytes / mebibyte} MiB`,
  run: async (context) => {
    const { runs, progress } = context;
    const sizeBytes = runs < fullRuns ? shortBytes : largeBytes;
    const { client, url } = await startServer(context);
    const { id } = await client.createSandbox();
    progress("heat");
    for (let left = runs * heatFactor; left > 0; left--) await timeSmall(client, id);
    const opened = await context.peers.isolators();
    const small = await hostFile(context, "small", 1024);
    const large = await hostFile(context, "large", sizeBytes);
    const curl = (await isCurlThere())
      ? new Curl(`${url}/v1/sandboxes/${id}/files?path=large`)
      : undefined;
    const turns = { ...context, warmUpMs };
    const times = await alternate(
      [
        { name: "runlet", samples: runs, sample: async () => await timeSmall(client, id) },
        ...copying(opened, Math.min(runs, mostCopies), async (copy) => {
          const { up, down } = await copy(small);
          return elapsedMs(up) + elapsedMs(down);
        }),
      ],
      turns,
    );
    const samples = Math.ceil(runs / 20);
    const up = await alternate(
      [
        { name: "runlet", samples, sample: async () => await rateUp(client, id, sizeBytes) },
        ...byCurl(curl, samples, async (each) => rateOf(sizeBytes, await each.up(large))),
        ...copying(opened, samples, async (copy) =>
          rateOf(sizeBytes, elapsedMs((await copy(large)).up)),
        ),
      ],
      turns,
    );
    const down = await alternate(
      [
        { name: "runlet", samples, sample: async () => await rateDown(client, id, sizeBytes) },
        ...byCurl(curl, samples, async (each) => rateOf(sizeBytes, await each.down())),
        ...copying(opened, samples, async (copy) =>
          rateOf(sizeBytes, elapsedMs((await copy(large)).down)),
        ),
      ],
      turns,
    );
    return [
      {
        name: "files",
        unit: "ms",
        better: "lower",
        samples: times,
        judge: (result) => [medianAtMost(result, 2, "ms")],
      },
      {
        name: "files-up",
        unit,
        better: "higher",
        samples: up,
        judge: fastEnough,
      },
      {
        name: "files-down",
        unit,
        better: "higher",
        samples: down,
        judge: fastEnough,
      },
    ];
  },
};

/** The engines that copy files, which they do by their command line. */
function copying(
  isolators: ReadonlyMap<PeerName, Isolator>,
  samples: number,
  take: (copy: NonNullable<Isolator["copy"]>) => Promise<number>,
): Contestant[] {
  return [...isolators].flatMap(([name, isolator]) => {
    const copy = isolator.copy?.bind(isolator);
    if (copy === undefined) return [];
    const sample = async (): Promise<number> => await take(copy);
    return [{ name, samples, sample, ...besideOthers(isolator) }];
  });
}

/** The same server with a client that costs little, to tell its bound from that of our client. */
class Curl {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Sends a file; answers how long that took, milliseconds. */
  async up(path: string): Promise<number> {
    return await this.#time(["--upload-file", path]);
  }

  /** Fetches the file; answers how long that took, milliseconds. */
  async down(): Promise<number> {
    return await this.#time([]);
  }

  async #time(args: readonly string[]): Promise<number> {
    const told = ["--write-out", "%{time_total}", "--output", "/dev/null"];
    const { stdout } = await execa("curl", ["--silent", "--fail", ...told, ...args, this.#url]);
    return Number(stdout) * 1000;
  }
}

async function isCurlThere(): Promise<boolean> {
  return (await execa("curl", ["--version"], { reject: false })).exitCode === 0;
}

/** With our client, and with curl where it is there. */
function fastEnough(result: Pick<BenchResult, "series" | "ratios">): Verdict[] {
  const own = result.series.filter(({ name }) => name === "runlet" || name === curlVariant);
  return own.map(({ name }) => medianAtLeast(result, 200, unit, name));
}

function byCurl(
  curl: Curl | undefined,
  samples: number,
  sample: (curl: Curl) => Promise<number>,
): Contestant[] {
  if (curl === undefined) return [];
  return [{ name: curlVariant, samples, sample: async () => await sample(curl) }];
}

async function hostFile({ directory }: Context, name: string, sizeBytes: number): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, Buffer.alloc(sizeBytes, "runlet"));
  return path;
}

async function timeSmall(client: Client, id: string): Promise<number> {
  const start = performance.now();
  await client.writeFile(id, "small", small1k);
  await client.readText(id, "small");
  return performance.now() - start;
}

const small1k = Buffer.alloc(1024, "runlet");

async function rateUp(client: Client, id: string, sizeBytes: number): Promise<number> {
  const start = performance.now();
  await client.writeFile(id, "large", pieces(sizeBytes));
  return rateOf(sizeBytes, performance.now() - start);
}

async function rateDown(client: Client, id: string, sizeBytes: number): Promise<number> {
  const start = performance.now();
  for await (const _ of await client.readFile(id, "large"));
  return rateOf(sizeBytes, performance.now() - start);
}

async function* pieces(sizeBytes: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(pieceBytes, "runlet");
  for (let sent = 0; sent < sizeBytes; sent += pieceBytes) yield piece;
}

/** Megabytes a second. */
function rateOf(sizeBytes: number, elapsed: number): number {
  return sizeBytes / 1e6 / (elapsed / 1000);
}
