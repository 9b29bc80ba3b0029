import { readFile } from "node:fs/promises";
import { execa } from "execa";
import { z } from "zod";
import { messageOf, RunletError } from "../errors.ts";
import { nft, nftList } from "./commands.ts";
import { baseRules } from "./ruleset.ts";

/** Whether sandboxes can have a network here, and if not, what stands against it and how to mend that. */
export type NetworkSupport =
  | { readonly isSupported: true }
  | { readonly isSupported: false; readonly problem: string; readonly advice: string };

/** How the host's ends of all links begin, of all Runlets; an operator's own rules may name it. */
export const linkPrefix = "rl";

const supported: NetworkSupport = { isSupported: true };

/** Looks whether sandboxes can have a network; changes nothing. @throws only the reason of `signal`. */
export async function networkSupport(signal?: AbortSignal): Promise<NetworkSupport> {
  const checks = [checkIp, checkNft, checkForwarding, checkForwardPolicy];
  for (const check of checks) {
    const found = await check(signal);
    signal?.throwIfAborted();
    if (!found.isSupported) return found;
  }
  return supported;
}

/** @throws `unavailable` with what {@link networkSupport} finds. */
export async function requireNetworkSupport(signal?: AbortSignal): Promise<void> {
  const support = await networkSupport(signal);
  if (support.isSupported) return;
  throw new RunletError(
    "unavailable",
    `Cannot give a sandbox a network: ${support.problem}. ${support.advice}`,
  );
}

async function checkIp(signal?: AbortSignal): Promise<NetworkSupport> {
  const { exitCode } = await look("ip", ["-Version"], signal);
  if (exitCode === 0) return supported;
  return lacking("`ip` cannot be started", "On Debian: `sudo apt-get install iproute2`");
}

/** The kernel itself says whether it would take the rules. */
async function checkNft(signal?: AbortSignal): Promise<NetworkSupport> {
  const rules = baseRules({ name: "runlet-check", interfaces: `${linkPrefix}check` });
  try {
    await nft(rules, { checksOnly: true, ...(signal && { signal }) });
    return supported;
  } catch (error) {
    const problem = `nftables takes no rules (${firstLine(messageOf(error))})`;
    const advice =
      "On Debian: `sudo apt-get install nftables`. Run as root with a kernel of 5.10 or newer; in Docker with `--privileged`";
    return lacking(problem, advice);
  }
}

async function checkForwarding(): Promise<NetworkSupport> {
  const file = "/proc/sys/net/ipv4/ip_forward";
  const text = await readFile(file, "utf8").catch(() => "");
  if (text.trim() === "1") return supported;
  return lacking("the host forwards no packets", "Let it: `sudo sysctl -w net.ipv4.ip_forward=1`");
}

/** What another table drops is dropped, whatever ours says: Docker, and many a firewall, drop by default. */
async function checkForwardPolicy(signal?: AbortSignal): Promise<NetworkSupport> {
  const { inNft, inLegacy } = await droppingFirewalls(signal);
  if (!inNft && !inLegacy) return supported;
  const tool = inLegacy ? "iptables-legacy" : "iptables";
  const rules = ["-i", "-o"].map(
    (side) => `\`sudo ${tool} -I FORWARD ${side} ${linkPrefix}+ -j ACCEPT\``,
  );
  return lacking(
    "the host's firewall drops what it is to forward, as Docker has it",
    `Let sandboxes through, which are held by Runlet's own rules: ${rules.join(" and ")} (with Docker: -I DOCKER-USER)`,
  );
}

async function droppingFirewalls(
  signal?: AbortSignal,
): Promise<{ inNft: boolean; inLegacy: boolean }> {
  const { nftables } = chainsAnswer.parse(JSON.parse(await nftList(["chains"], signal)));
  const drops = nftables.some(
    ({ chain }) => chain?.hook === "forward" && chain.policy === "drop" && chain.family !== "ip6",
  );
  const inNft =
    drops && !(await nftList(["ruleset"], signal)).includes(`"right": "${linkPrefix}*"`);
  return { inNft, inLegacy: await dropsInLegacy(signal) };
}

/** Rules of the older kind are seen by their own tool alone. */
async function dropsInLegacy(signal?: AbortSignal): Promise<boolean> {
  const tables = await readFile("/proc/net/ip_tables_names", "utf8").catch(() => "");
  if (!tables.split("\n").includes("filter")) return false;
  const { stdout } = await look("iptables-legacy", ["-S"], signal);
  return stdout.includes("-P FORWARD DROP") && !stdout.includes(`-i ${linkPrefix}+ -j ACCEPT`);
}

const chainsAnswer = z.object({
  nftables: z.array(
    z.object({
      chain: z
        .object({
          family: z.string(),
          hook: z.string().optional(),
          policy: z.string().optional(),
        })
        .optional(),
    }),
  ),
});

async function look(
  file: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<{ exitCode: number | undefined; stdout: string }> {
  const { exitCode, stdout } = await execa(file, args, {
    reject: false,
    stdin: "ignore",
    timeout: 10_000,
    forceKillAfterDelay: false,
    killSignal: "SIGKILL",
    ...(signal ? { cancelSignal: signal } : {}),
  });
  return { exitCode, stdout };
}

function lacking(problem: string, advice: string): NetworkSupport {
  return { isSupported: false, problem, advice };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
