import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PeerName } from "../peers/names.ts";
import { Peers } from "../peers/peers.ts";
import type { Bench } from "./bench.ts";
import type { Host } from "./host.ts";
import { defaultImage } from "./images.ts";
import { reporter } from "./progress.ts";
import { type BenchResult, resultOf } from "./result.ts";

export interface RunOptions {
  /** What is measured; the bench's own default otherwise. */
  runs: number | undefined;
  windowMs: number;
  /** The peers that are wanted; all that the bench knows otherwise. */
  against: readonly PeerName[] | undefined;
  host: Host;
  signal: AbortSignal;
}

/** Runs one bench and releases all that it acquired, also where it is aborted. */
export async function runBench(bench: Bench, options: RunOptions): Promise<BenchResult[]> {
  const { runs = bench.defaultRuns, windowMs, against, host, signal } = options;
  const progress = reporter(bench.name);
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "runlet-bench-"));
  stack.defer(async () => await rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  const peerDirectory = join(directory, "p");
  await mkdir(peerDirectory);
  const image = async (): ReturnType<typeof defaultImage> => await defaultImage(signal, progress);
  const wanted = bench.peers.filter((name) => against?.includes(name) ?? true);
  const peers = new Peers(wanted, { directory: peerDirectory, image, signal, progress }, stack);
  for (const name of against ?? []) {
    if (bench.peers.includes(name)) continue;
    peers.skipped.push({ name, reason: `${bench.name} is not measured against it` });
  }
  const measurements = await bench.run({
    runs,
    windowMs,
    signal,
    progress,
    directory,
    stack,
    peers,
  });
  return measurements.map((each) => resultOf(each, { host, skipped: peers.skipped }));
}
