import { readControl, readKeyed, writeControl, writeOptional } from "./control-file.ts";
import { cpuPeriodUs, cpuQuotaUs, type Dialect } from "./dialect.ts";

/** Cgroups v2: one directory for all controllers. */
export const v2: Dialect = {
  entry: "cgroup.procs",
  limitMemory(directory, bytes) {
    writeControl(directory, "memory.max", bytes);
    writeOptional(directory, "memory.swap.max", 0);
    // Half a sandbox is of no use to anybody.
    writeOptional(directory, "memory.oom.group", 1);
  },
  limitCpu(directory, cpus) {
    writeControl(directory, "cpu.max", `${cpuQuotaUs(cpus)} ${cpuPeriodUs}`);
  },
  limitPids: (directory, count) => writeControl(directory, "pids.max", count),
  memoryBytes: (directory) => readControl(directory, "memory.current"),
  cpuUs: (directory) => readKeyed(directory, "cpu.stat", "usage_usec"),
  pids: (directory) => readControl(directory, "pids.current"),
  oomKills: (directory) => readKeyed(directory, "memory.events", "oom_kill"),
  refusedForks: (directory) => readKeyed(directory, "pids.events", "max"),
};
