import { checkCgroups } from "./cgroup.ts";
import { checkDisk } from "./disk.ts";
import type { HostCheck } from "./host-check.ts";
import { checkKernel, checkNode, checkRcu } from "./kernel.ts";
import { checkNetwork } from "./network.ts";
import { checkPlatform, type Platform } from "./platform.ts";
import { checkPrivileges } from "./privileges.ts";
import { checkErofsTools, checkRunsc } from "./programs.ts";
import { tryContainer } from "./trial.ts";
import { checkWakefulness } from "./wakefulness.ts";

export type { HostCheck } from "./host-check.ts";

export interface HostCheckOptions {
  /** Where Runlet keeps its data; it need not exist yet. */
  dataDir: string;
  /** Path or name of the binary; `runsc` on PATH by default. */
  runsc?: string | undefined;
  platform?: Platform | undefined;
  /** Leaves out the trial container, which costs a tenth of a second. */
  quick?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Looks at all that Runlet needs of its machine; changes nothing. @throws only the reason of `signal`. */
export async function checkHost(options: HostCheckOptions): Promise<HostCheck[]> {
  const { runsc: binary = "runsc", platform = "systrap", signal } = options;
  const runsc = await checkRunsc(binary, signal);
  const checks = [
    checkNode(process.versions.node),
    runsc,
    await checkPlatform(platform),
    await checkPrivileges(),
    await checkCgroups(),
    await checkNetwork(signal),
    await checkErofsTools("mkfs.erofs", signal),
    await checkDisk(options.dataDir),
    checkKernel(),
    await checkRcu(),
    checkWakefulness(),
  ];
  if (!options.quick && runsc.status !== "error") {
    checks.push(await tryContainer({ binary, platform, signal }));
  }
  signal?.throwIfAborted();
  return checks;
}
