import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { HostRequest, Rig } from "./rig.ts";

/** A function of test/fixtures/probe.py and its arguments; NAMESERVER stands for the one of /etc/resolv.conf. */
export type Probe = readonly [kind: string, ...(string | number)[]];

/** What came of a probe. */
export type Finding = string | readonly (string | number)[] | { readonly error: string };

const script = await readFile(join(import.meta.dirname, "../../fixtures/probe.py"), "utf8");

/** The arguments of a program that tries probes. */
export function probing(probes: readonly Probe[]): string[] {
  return ["python3", "-c", script, JSON.stringify(probes)];
}

/** Tries all probes in one container that is in the network; answers what came of each. */
export async function probeIn(
  rig: Rig,
  id: string,
  probes: readonly Probe[],
  options?: Pick<Extract<HostRequest, { verb: "run" }>, "image" | "launch">,
): Promise<Finding[]> {
  const { stdout, stderr, reason } = await rig.run(id, probing(probes), options);
  if (stdout === "") throw new Error(`The probes ended (${reason}) with:\n${stderr}`);
  return JSON.parse(stdout) as Finding[];
}
