/** How one version of cgroups spells what is asked of it; each method takes a cgroup's directory. */
export interface Dialect {
  /** The file by which a single-threaded process enters: it writes `0`. */
  readonly entry: string;
  limitMemory(directory: string, bytes: number): void;
  /** `cpus` is CPU time a time, such as 0.5 for half a core. */
  limitCpu(directory: string, cpus: number): void;
  limitPids(directory: string, count: number): void;
  memoryBytes(directory: string): number | undefined;
  cpuUs(directory: string): number | undefined;
  pids(directory: string): number | undefined;
  /** How many processes were killed for want of memory. */
  oomKills(directory: string): number | undefined;
  /** How many forks the bound on processes has refused. */
  refusedForks(directory: string): number | undefined;
}

/** Over which a bound on CPU time is held. */
export const cpuPeriodUs = 100_000;

/** CPU time in a period; the kernel takes no less than a millisecond. */
export function cpuQuotaUs(cpus: number): number {
  return Math.max(1000, Math.round(cpus * cpuPeriodUs));
}
