import { readFile } from "node:fs/promises";
import { release } from "node:os";
import type { HostCheck } from "./host-check.ts";

const minimumNode = 24;
/** The oldest Linux that gVisor supports. */
const minimumKernel = { major: 4, minor: 15 } as const;

/** Looks at a Node version such as `24.1.0`. */
export function checkNode(version: string): HostCheck {
  const found = `v${version}`;
  if (Number.parseInt(version, 10) >= minimumNode) return { name: "node", status: "ok", found };
  const advice = `Runlet needs Node ${minimumNode}: \`npm ci\` brings it, and \`npm start\` uses it`;
  return { name: "node", status: "error", found, advice };
}

/** Looks at a kernel release such as `6.1.0-18-amd64`. */
export function checkKernel(kernel: string = release()): HostCheck {
  const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
  const isNewEnough =
    major > minimumKernel.major || (major === minimumKernel.major && minor >= minimumKernel.minor);
  if (isNewEnough) return { name: "kernel", status: "ok", found: kernel };
  const advice = `gVisor needs Linux ${minimumKernel.major}.${minimumKernel.minor} or newer`;
  return { name: "kernel", status: "error", found: kernel, advice };
}

/**
 * Looks at the switch that makes the kernel's grace periods short. Taking a sandbox's namespaces down waits
 * for them, and they are the largest part of a start.
 */
export async function checkRcu(file = "/sys/kernel/rcu_expedited"): Promise<HostCheck> {
  const name = "rcu_expedited";
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) {
    return { name, status: "ok", found: "not offered by this kernel" };
  }
  if (text.trim() !== "0") return { name, status: "ok", found: "on" };
  return {
    name,
    status: "warning",
    found: "off",
    advice:
      "A cold start takes about 65 ms instead of 105 ms with it, at the price of some interrupts on all " +
      `cores: \`echo 1 | sudo tee ${file}\` (until the next boot)`,
  };
}
