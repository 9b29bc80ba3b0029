import { execa } from "execa";
import { availableParallelism, cpus, loadavg, release } from "node:os";

/** The machine that figures were taken on. */
export interface Host {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly runsc: string;
  /** What runsc catches system calls with. */
  readonly platform: string;
  readonly node: string;
  /** How much else went on: processes that wanted to run in the minute before. */
  readonly load: number;
}

/** Looks at this machine. */
export async function readHost(signal: AbortSignal): Promise<Host> {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    kernel: release(),
    runsc: await runscVersion(signal),
    platform: process.env["RUNLET_PLATFORM"] || "systrap",
    node: process.versions.node,
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

async function runscVersion(signal: AbortSignal): Promise<string> {
  const { stdout } = await execa(process.env["RUNLET_RUNSC"] || "runsc", ["--version"], {
    reject: false,
    timeout: 10_000,
    cancelSignal: signal,
  });
  signal.throwIfAborted();
  return /^runsc version (\S+)/.exec(stdout ?? "")?.[1] ?? "not installed";
}
