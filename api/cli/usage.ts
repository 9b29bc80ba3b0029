import type { SandboxStats } from "../schema/sandbox.ts";

/** How much of one processor a sandbox has used since the last sample; undefined before there is one. */
export function cpuShareOf({ now, series }: SandboxStats): number | undefined {
  const last = series.findLast(({ atUs }) => atUs < now.atUs);
  return last && (now.cpuUs - last.cpuUs) / (now.atUs - last.atUs);
}
