import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What of cgroups Runlet makes use of; `cpuacct` counts what `cpu` bounds, and is a controller of v1 alone. */
export type Controller = "memory" | "cpu" | "cpuacct" | "pids";

/** One tree of cgroups, and what it controls. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** Where it is mounted; inside a container that is the container's own cgroup. */
  readonly directory: string;
  readonly controllers: ReadonlySet<Controller>;
}

/** How the machine has its cgroups. `hybrid` is v1 beside a v2 that controls nothing of this. */
export interface CgroupLayout {
  readonly version: "v1" | "v2" | "hybrid" | "none";
  readonly hierarchies: readonly Hierarchy[];
}

const controllers: readonly Controller[] = ["memory", "cpu", "cpuacct", "pids"];

/** Reads the layout off a table of mounts. */
export async function cgroupLayout(mountinfo = "/proc/self/mountinfo"): Promise<CgroupLayout> {
  const text = await readFile(mountinfo, "utf8").catch(() => "");
  const found: Hierarchy[] = [];
  const taken = new Set<Controller>();
  let hasV2 = false;
  for (const line of text.split("\n")) {
    const mount = parseMount(line);
    if (mount === undefined) continue;
    hasV2 ||= mount.version === 2;
    const names = mount.version === 1 ? mount.options : await listed(mount.directory);
    // The same hierarchy may be mounted in more than one place.
    const own = controllers.filter((name) => names.includes(name) && !taken.has(name));
    for (const name of own) taken.add(name);
    if (own.length === 0) continue;
    const { version, directory } = mount;
    found.push({ version, directory, controllers: new Set(own) });
  }
  return { version: versionOf(found, hasV2), hierarchies: found };
}

function versionOf(found: readonly Hierarchy[], hasV2: boolean): CgroupLayout["version"] {
  if (found.length === 0) return "none";
  if (found.every(({ version }) => version === 2)) return "v2";
  return hasV2 ? "hybrid" : "v1";
}

interface Mount {
  readonly version: 1 | 2;
  readonly directory: string;
  readonly options: readonly string[];
}

/** A line is `id parent device root directory options [more] - type source options`. */
function parseMount(line: string): Mount | undefined {
  const [before = "", after = ""] = line.split(" - ");
  const [type, , options = ""] = after.split(" ");
  const directory = before.split(" ")[4];
  if (directory === undefined || (type !== "cgroup" && type !== "cgroup2")) return undefined;
  const plain = directory.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
  return { version: type === "cgroup" ? 1 : 2, directory: plain, options: options.split(",") };
}

async function listed(directory: string): Promise<string[]> {
  const text = await readFile(join(directory, "cgroup.controllers"), "utf8").catch(() => "");
  return text.trim().split(/\s+/);
}
