import { networkSupport } from "../network/support.ts";
import type { HostCheck } from "./host-check.ts";

/** Looks whether sandboxes can have a network with an allow-list. */
export async function checkNetwork(signal?: AbortSignal): Promise<HostCheck> {
  const name = "network";
  const support = await networkSupport(signal);
  if (support.isSupported) return { name, status: "ok", found: "namespaces and nftables" };
  return {
    name,
    status: "warning",
    found: `sandboxes can have none: ${support.problem}`,
    advice: support.advice,
  };
}
