import { Command, InvalidArgumentError } from "commander";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../runtime/errors.ts";
import { benches } from "./catalogue.ts";
import type { Bench } from "./harness/bench.ts";
import { readHost } from "./harness/host.ts";
import { writeFigures } from "./harness/readme.ts";
import { report } from "./harness/report.ts";
import type { BenchResult } from "./harness/result.ts";
import { runBench } from "./harness/run-bench.ts";
import { type PeerName, peerNames } from "./peers/names.ts";

interface Options {
  json?: boolean;
  runs?: number;
  window: number;
  against?: PeerName[];
}

const page = join(import.meta.dirname, "README.md");
const resultsDir = join(import.meta.dirname, "results");
const defaultWindowMs = 2000;
const interruptedExitCode = 130;

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  // A second one changes nothing: cleaning up is under way.
  process.on(signal, () => interrupt.abort(new Error(`Interrupted by ${signal}`)));
}

const program = new Command("npm run bench --")
  .description("Measures what Runlet promises, side by side with peers; without names, lists all")
  .argument("[name...]", "benches to run, or all")
  .option("--json", "print nothing on standard output but an array of results")
  .option("--runs <n>", "how much to measure; the list says what is counted", positive)
  .option("--window <ms>", "how long one sample of a rate takes", positive, defaultWindowMs)
  .option("--against <peer,...>", `which peers, of ${peerNames.join(", ")}; or none`, peersOf)
  .action(async (names: string[], options: Options) => {
    if (names.length === 0) return list(options);
    await runAll(benchesOf(names), options);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`error: ${messageOf(error)}\n`);
  process.exitCode = interrupt.signal.aborted ? interruptedExitCode : 1;
}

async function runAll(chosen: readonly Bench[], options: Options): Promise<void> {
  const { signal } = interrupt;
  const { runs, window: windowMs, against } = options;
  const host = await readHost(signal);
  const all: BenchResult[] = [];
  for (const bench of chosen) {
    try {
      const results = await runBench(bench, { runs, windowMs, against, host, signal });
      all.push(...results);
      if (options.json !== true) process.stdout.write(`${results.map(report).join("\n")}\n`);
      if (isFull(options)) await keep(bench, results);
    } catch (error) {
      signal.throwIfAborted();
      process.stderr.write(`error: bench ${bench.name}: ${messageOf(error)}\n`);
      process.exitCode = 1;
    }
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify(all, undefined, 2)}\n`);
  const broken = all.flatMap(({ promises }) => promises).some((it) => it.isExact && !it.holds);
  if (broken) process.exitCode = 1;
}

/** Only a run of the usual length against all peers that are there is worth keeping. */
function isFull({ runs, against, window: windowMs }: Options): boolean {
  return runs === undefined && against === undefined && windowMs === defaultWindowMs;
}

async function keep(bench: Bench, results: readonly BenchResult[]): Promise<void> {
  // Drawing takes a library that takes a while to load.
  const { plot } = await import("./harness/plot.ts");
  await mkdir(resultsDir, { recursive: true });
  for (const result of results) {
    await writeFile(join(resultsDir, `${result.name}.svg`), plot(result));
  }
  await writeFigures(page, bench.name, results);
  process.stderr.write(`${bench.name}: figures are in bench/README.md, plots in bench/results\n`);
}

function list({ json }: Options): void {
  const rows = benches.map(({ name, summary, peers, defaultRuns, counts }) => {
    return { name, summary, peers, runs: defaultRuns, counts };
  });
  if (json === true) return void process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
  for (const { name, summary, peers, runs, counts } of rows) {
    const against = peers.length === 0 ? "" : `, against ${peers.join(", ")}`;
    process.stdout.write(
      `${name.padEnd(11)} ${summary}\n${" ".repeat(12)}${runs} ${counts}${against}\n`,
    );
  }
  process.stdout.write(
    "\nRun some with `npm run bench -- NAME...`, all with `npm run bench -- all`.\n",
  );
}

function benchesOf(names: readonly string[]): readonly Bench[] {
  if (names.includes("all")) return benches;
  return names.map((name) => {
    const found = benches.find((bench) => bench.name === name);
    if (found !== undefined) return found;
    const known = benches.map((bench) => bench.name).join(", ");
    throw new Error(`Cannot run bench ${JSON.stringify(name)}: there are ${known}, and all`);
  });
}

function positive(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("Expected a whole number above 0.");
}

function peersOf(text: string): PeerName[] {
  if (text === "none") return [];
  return text.split(",").map((name) => {
    const found = peerNames.find((peer) => peer === name);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`There are ${peerNames.join(", ")}, and none.`);
  });
}
