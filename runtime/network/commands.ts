import { readdir, readFile } from "node:fs/promises";
import { execa } from "execa";
import { RunletError } from "../errors.ts";

const timeoutMs = 15_000;

/** Runs nft with a script: a transaction, of which all is carried out or nothing. @throws `unavailable`. */
export async function nft(
  script: string,
  { checksOnly = false, signal }: { checksOnly?: boolean; signal?: AbortSignal } = {},
): Promise<void> {
  await run("nft", [...(checksOnly ? ["--check"] : []), "-f", "-"], script, signal);
}

/** Lists base chains, tables or rules of the host as nft prints them. @throws `unavailable`. */
export async function nftList(args: readonly string[], signal?: AbortSignal): Promise<string> {
  return await run("nft", ["--json", "list", ...args], "", signal);
}

/** Runs the lines in one `ip`, inside of `namespace` where it is named. @throws `unavailable`. */
export async function ip(
  lines: readonly string[],
  { namespace, signal }: { namespace?: string; signal?: AbortSignal } = {},
): Promise<void> {
  const flags = namespace === undefined ? [] : ["-netns", namespace];
  await run("ip", [...flags, "-batch", "-"], `${lines.join("\n")}\n`, signal);
}

/** Tells by its name whether something is to be removed. */
type Choice = (name: string) => boolean;

/** Removes the links and the namespaces that are chosen, if any. @throws `unavailable` where one is left. */
export async function removeLinks(isLink: Choice, isNamespace: Choice): Promise<void> {
  const left = async (): Promise<string[]> => [
    ...(await linkNames()).filter(isLink).map((name) => `link delete ${name}`),
    ...(await namespaceNames()).filter(isNamespace).map((name) => `netns delete ${name}`),
  ];
  const lines = await left();
  if (lines.length === 0) return;
  try {
    await run("ip", ["-force", "-batch", "-"], `${lines.join("\n")}\n`);
  } catch (error) {
    // The end of a namespace takes its link along, before or after it was to be deleted.
    if ((await left()).length > 0) throw error;
  }
}

async function linkNames(): Promise<string[]> {
  const text = await readFile("/proc/self/net/dev", "utf8").catch(() => "");
  return text.split("\n").map((line) => line.split(":", 1)[0]?.trim() ?? "");
}

async function namespaceNames(): Promise<string[]> {
  return await readdir(namespaceDirectory).catch(() => []);
}

/** Where the host has its network namespaces by name. */
export const namespaceDirectory = "/run/netns";

/** The host's routes of IPv4. @throws `unavailable`. */
export async function ipRoutes(signal?: AbortSignal): Promise<string> {
  return await run("ip", ["-json", "-4", "route", "show"], "", signal);
}

async function run(
  file: string,
  args: readonly string[],
  input: string,
  signal?: AbortSignal,
): Promise<string> {
  signal?.throwIfAborted();
  const result = await execa(file, args, {
    input,
    reject: false,
    timeout: timeoutMs,
    maxBuffer: 16_000_000,
    forceKillAfterDelay: false,
    killSignal: "SIGKILL",
    ...(signal ? { cancelSignal: signal } : {}),
  });
  if (!result.failed) return result.stdout;
  if (result.isCanceled) signal?.throwIfAborted();
  const said = result.stderr.trim() || (result.shortMessage ?? "no reason given");
  const reason = result.code === "ENOENT" ? `${file} is not installed` : said.slice(0, maxReason);
  throw new RunletError("unavailable", `Cannot set up a network: ${reason}. ${advice}`, {
    cause: result.cause,
  });
}

const maxReason = 500;
const advice = "Run `runlet doctor` to see what the host lacks";
