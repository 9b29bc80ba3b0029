import { readdir, readFile, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { execa } from "execa";
import { testPrefix } from "./temp-dir.ts";

/** Something that a test left behind. */
export interface Leak {
  readonly kind: "process" | "mount" | "cgroup" | "directory" | "namespace" | "link" | "table";
  /** Tells two leaks apart: a pid, a path or a name. */
  readonly key: string;
  readonly description: string;
  /** Whether it bears the name of this run; if not, it may be in the use of another. */
  readonly isOwn: boolean;
}

/** The directory of a run has a name of this kind, which is in the name of all that the run makes. */
export const runPrefix = `${testPrefix}run-`;

/**
 * All that bears the name of tests: of this run, in or outside of its `runDirectory`, and of no run at all
 * (strays). `systemTmp` is where the latter would have their directories.
 */
export async function findLeaks(runDirectory: string, systemTmp: string): Promise<Leak[]> {
  const runName = basename(runDirectory);
  const owner = (text: string): Owner => {
    if (text.includes(runName)) return "run";
    return text.includes(testPrefix) && !text.includes(runPrefix) ? "nobody" : "other";
  };
  const found = await Promise.all([
    processes(owner),
    mounts(),
    cgroups("/sys/fs/cgroup"),
    entries(runDirectory, () => true),
    entries(systemTmp, (name) => isTestName(name) && name !== runName),
    entries("/run", isTestName),
    namespaces(),
    links(),
    tables(),
  ]);
  return found.flat().flatMap(({ text, ...leak }) => {
    const whose = owner(text);
    return whose === "other" ? [] : [{ ...leak, isOwn: whose === "run" }];
  });
}

/** Tells whether another node:test runner is at work on this machine, to whom strays may belong. */
export async function isOtherRunUnderWay(): Promise<boolean> {
  for (const pid of await pids()) {
    if (pid === String(process.pid)) continue;
    const args = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (basename(args[0] ?? "") === "node" && args.includes("--test")) return true;
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environment.includes("NODE_TEST_CONTEXT=")) return true;
  }
  return false;
}

type Owner = "run" | "nobody" | "other";
type Found = Omit<Leak, "isOwn"> & { readonly text: string };

function isTestName(name: string): boolean {
  return name.startsWith(testPrefix);
}

async function processes(owner: (text: string) => Owner): Promise<Found[]> {
  const ancestors = await lineOf(process.pid);
  const found = await Promise.all(
    (await pids()).map(async (pid): Promise<Found[]> => {
      if (ancestors.has(pid)) return [];
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "");
      const text = `${command} ${cwd}`;
      if (owner(text) === "other") return [];
      const words = command.split("\0").join(" ").trim().slice(0, 200);
      return [{ kind: "process", key: pid, description: `${pid}: ${words} in ${cwd}`, text }];
    }),
  );
  return found.flat();
}

async function mounts(): Promise<Found[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  const paths = lines.map((line) => line.split(" ")[4]?.replaceAll("\\040", " ") ?? "");
  // A network namespace is looked for by its name.
  return paths
    .filter((path) => !path.startsWith("/run/netns/"))
    .map((path) => ({ kind: "mount", key: path, description: path, text: path }));
}

async function cgroups(directory: string, depth = 4): Promise<Found[]> {
  const inside = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(
    inside.map(async (entry): Promise<Found[]> => {
      if (!entry.isDirectory()) return [];
      const path = join(directory, entry.name);
      // The one of a server bears the path of its directory.
      if (entry.name.includes(testPrefix)) {
        return [{ kind: "cgroup", key: path, description: path, text: entry.name }];
      }
      return depth > 0 ? await cgroups(path, depth - 1) : [];
    }),
  );
  return found.flat();
}

async function namespaces(): Promise<Found[]> {
  const names = await readdir("/run/netns").catch(() => []);
  return names.map((name) => ({
    kind: "namespace",
    key: name,
    description: name,
    text: name,
  }));
}

/** The one of a network bears the name of its namespace beside its own, which is short. */
async function links(): Promise<Found[]> {
  const names = await readdir("/sys/class/net").catch(() => []);
  return await Promise.all(
    names.map(async (name): Promise<Found> => {
      const text = await readFile(`/sys/class/net/${name}/ifalias`, "utf8").catch(() => "");
      return { kind: "link", key: name, description: `${name} of ${text.trim()}`, text };
    }),
  );
}

/** A host without nft has no table of ours. */
async function tables(): Promise<Found[]> {
  const { stdout } = await execa("nft", ["list", "tables"], {
    reject: false,
    timeout: 10_000,
  });
  return stdout.split("\n").map((line) => {
    const name = line.replace(/^table /, "");
    return { kind: "table", key: name, description: name, text: name };
  });
}

async function entries(directory: string, wanted: (name: string) => boolean): Promise<Found[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter(wanted).map((name) => {
    const path = join(directory, name);
    return { kind: "directory", key: path, description: path, text: path };
  });
}

async function pids(): Promise<string[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
}

/** A process and those that started it: their command lines may name what they test. */
async function lineOf(pid: number): Promise<Set<string>> {
  const line = new Set<string>();
  for (let next = String(pid); next !== "0" && !line.has(next);) {
    line.add(next);
    const stat = await readFile(`/proc/${next}/stat`, "utf8").catch(() => "");
    next = stat.slice(stat.lastIndexOf(")")).split(" ")[2] ?? "0";
  }
  return line;
}
