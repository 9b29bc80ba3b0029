import { access, constants, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { HostCheck } from "./host-check.ts";

/** The controllers that hold a container's limits. */
const controllers = ["memory", "cpu", "pids"] as const;

/** How the machine has its cgroups, and where each controller's directory is. */
export interface CgroupLayout {
  readonly version: "v1" | "v2" | "hybrid" | "none";
  readonly directories: ReadonlyMap<string, string>;
}

/** Reads the layout under `root`; controllers that are not there are left out. */
export async function cgroupLayout(root = "/sys/fs/cgroup"): Promise<CgroupLayout> {
  const unified = await controllersOf(root);
  if (unified !== undefined) {
    const there = controllers.filter((name) => unified.includes(name));
    return { version: "v2", directories: new Map(there.map((name) => [name, root])) };
  }
  const directories = new Map<string, string>();
  for (const name of controllers) {
    const directory = join(root, name);
    if (await can(directory, constants.F_OK)) directories.set(name, directory);
  }
  if (directories.size === 0) return { version: "none", directories };
  const beside = await controllersOf(join(root, "unified"));
  return { version: beside === undefined ? "v1" : "hybrid", directories };
}

/** Looks whether memory, CPU and process limits can be set. */
export async function checkCgroups(root?: string): Promise<HostCheck> {
  const name = "cgroups";
  const { version, directories } = await cgroupLayout(root);
  const missing: string[] = [];
  const closed: string[] = [];
  for (const controller of controllers) {
    const directory = directories.get(controller);
    if (directory === undefined) missing.push(controller);
    else if (!(await can(directory, constants.W_OK))) closed.push(controller);
  }
  if (missing.length === 0 && closed.length === 0) {
    return { name, status: "ok", found: `${version}, ${controllers.join(", ")} writable` };
  }
  const facts = [
    version,
    ...(missing.length > 0 ? [`without ${missing.join(", ")}`] : []),
    ...(closed.length > 0 ? [`${closed.join(", ")} not writable`] : []),
  ];
  return {
    name,
    status: "warning",
    found: facts.join(", "),
    advice:
      "The host cannot bound what containers use. Run as root; in Docker with " +
      "`--privileged --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw`",
  };
}

async function controllersOf(directory: string): Promise<string[] | undefined> {
  const text = await readFile(join(directory, "cgroup.controllers"), "utf8").catch(() => undefined);
  return text?.trim().split(/\s+/);
}

async function can(path: string, mode: number): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}
