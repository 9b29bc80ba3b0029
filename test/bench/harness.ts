import { execa } from "execa";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchResult } from "../../bench/harness/result.ts";

const entry = join(import.meta.dirname, "../../bench/run.ts");

export interface BenchRun {
  /** Where the run has its directories. */
  tmp: string;
  env?: Readonly<Record<string, string>>;
}

export interface BenchEnd {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode?: number | undefined;
}

/** `npm run bench -- args...` in a temporary directory of the caller. */
export interface StartedBench {
  readonly ended: Promise<BenchEnd>;
  interrupt(): void;
}

/** Starts a bench; see {@link StartedBench}. */
export function startBench(args: readonly string[], { tmp, env = {} }: BenchRun): StartedBench {
  const images = process.env["RUNLET_TEST_IMAGES"];
  const own: Record<string, string> = { ...env, TMPDIR: tmp };
  if (images) own["RUNLET_IMAGES_DIR"] = images;
  const child = execa(process.execPath, [entry, ...args], {
    reject: false,
    timeout: 120_000,
    env: own,
  });
  return { ended: child, interrupt: () => void child.kill("SIGINT") };
}

/** Runs a bench to its end. */
export async function runBench(args: readonly string[], run: BenchRun): Promise<BenchEnd> {
  return await startBench(args, run).ended;
}

/** What `--json` printed. */
export function resultsOf(stdout: string): BenchResult[] {
  return JSON.parse(stdout) as BenchResult[];
}

/** Command lines of processes that name a directory. */
export function processesIn(directory: string): string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(commandLine).filter((line) => line.includes(directory));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
