import { hasControl, readControl, readKeyed, writeControl } from "./control-file.ts";
import { cpuPeriodUs, cpuQuotaUs, type Dialect } from "./dialect.ts";

/** The bound on memory and swap together, where the kernel counts swap. */
const sum = "memory.memsw.limit_in_bytes";

/** Cgroups v1: a directory in the tree of each controller. */
export const v1: Dialect = {
  // A thread that moves itself waits for nobody; a whole process waits for a grace period, 10 ms and more.
  entry: "tasks",
  limitMemory(directory, bytes) {
    const hasSum = hasControl(directory, sum);
    // The bound must not exceed the sum at any moment.
    if (hasSum && (readControl(directory, sum) ?? 0) < bytes) writeControl(directory, sum, bytes);
    writeControl(directory, "memory.limit_in_bytes", bytes);
    if (hasSum) writeControl(directory, sum, bytes);
  },
  limitCpu(directory, cpus) {
    writeControl(directory, "cpu.cfs_period_us", cpuPeriodUs);
    writeControl(directory, "cpu.cfs_quota_us", cpuQuotaUs(cpus));
  },
  limitPids: (directory, count) => writeControl(directory, "pids.max", count),
  memoryBytes: (directory) => readControl(directory, "memory.usage_in_bytes"),
  cpuUs(directory) {
    const ns = readControl(directory, "cpuacct.usage");
    return ns === undefined ? undefined : Math.round(ns / 1000);
  },
  pids: (directory) => readControl(directory, "pids.current"),
  oomKills: (directory) => readKeyed(directory, "memory.oom_control", "oom_kill"),
  refusedForks: (directory) => readKeyed(directory, "pids.events", "max"),
};
