import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { poll } from "../../runtime/deadline.ts";

/** Each look reads what every process of the host is, which takes time from what is waited for. */
const lookEveryMs = 30;

const perContainer = ["bundles", "containers", "logs", "tasks", "left"];

/** The ids of the sandboxes that run now under a server's state directory, as the host's /proc has them. */
export function sandboxesOf(stateDir: string): string[] {
  const sandboxes = commandLines(stateDir).filter((args) => args.includes("boot"));
  return [...new Set(sandboxes.map((args) => args.at(-1) ?? ""))];
}

/** All that containers have left under a state directory: processes, mounts, cgroups, files. */
export function leftoversOf(stateDir: string): string[] {
  const processes = commandLines(stateDir).map((args) => `process ${args[0]} ${args.at(-1)}`);
  const mounts = mountsOf(stateDir).map((line) => `mount ${line}`);
  const files = perContainer.flatMap((place) =>
    readdirSync(join(stateDir, place)).map((name) => `file ${place}/${name}`),
  );
  return [...processes, ...mounts, ...files];
}

/** The mounts that have to do with a state directory, as the host lists them. */
export function mountsOf(stateDir: string): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.filter((line) => line.includes(stateDir));
}

/** The cgroups with `text` in their name, such as a container's id. */
export function cgroupsOf(text: string, directory = "/sys/fs/cgroup"): string[] {
  return directoriesIn(directory).flatMap((name) => {
    const path = join(directory, name);
    return name.includes(text) ? [path] : cgroupsOf(text, path);
  });
}

/** Those, and all below them. */
export function cgroupTreesOf(text: string): string[] {
  return cgroupsOf(text).flatMap((path) => treeOf(path));
}

/** The network namespaces with `text` in their name. */
export function namespacesOf(text: string): string[] {
  const directory = "/run/netns";
  const names = existsSync(directory) ? readdirSync(directory) : [];
  return names.filter((name) => name.includes(text));
}

function treeOf(directory: string): string[] {
  return [directory, ...directoriesIn(directory).flatMap((name) => treeOf(join(directory, name)))];
}

/** Those of other tests may go while they are looked at. */
function directoriesIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Waits until nothing of any container is left. @throws an error that lists what is. */
export async function nothingLeft(stateDir: string): Promise<void> {
  const probe = (): true | undefined => (leftoversOf(stateDir).length === 0 ? true : undefined);
  const often = { timeoutMs: 20_000, intervalMs: lookEveryMs };
  await poll("see everything gone", probe, often).catch((cause: unknown) => {
    const left = leftoversOf(stateDir).join("\n");
    throw new Error(`Left under ${stateDir}:\n${left}`, { cause });
  });
}

/** Samples how many sandboxes run at once until it is disposed. */
export interface Watch extends Disposable {
  readonly most: number;
}

/** Starts to count; see {@link Watch}. */
export function watchSandboxes(stateDir: string, intervalMs = 5): Watch {
  let most = 0;
  const look = (): void => {
    most = Math.max(most, sandboxesOf(stateDir).length);
  };
  const timer = setInterval(look, intervalMs);
  return {
    get most() {
      return most;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** The sandbox processes under a server's state directory, or of one container there. */
export function sandboxPidsOf(stateDir: string, id?: string): number[] {
  return runscPidsOf(stateDir).filter((pid) => {
    const args = argumentsOf(pid);
    return args.includes("boot") && (id === undefined || args.at(-1) === id);
  });
}

/** The processes of runsc whose command lines name a server's state directory. */
export function runscPidsOf(stateDir: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => isOf(argumentsOf(pid), stateDir)).map(Number);
}

/** Those of them that are stopped now. */
export function frozenSandboxesOf(stateDir: string, id?: string): number[] {
  return sandboxPidsOf(stateDir, id).filter((pid) => isStopped(pid));
}

function isStopped(pid: number): boolean {
  return /^\d+ \(.*\) T/s.test(textOf(`/proc/${pid}/stat`));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The command lines of those; one may have ended in between. */
function commandLines(stateDir: string): string[][] {
  const lines = runscPidsOf(stateDir).map((pid) => argumentsOf(pid));
  return lines.filter((args) => isOf(args, stateDir));
}

function isOf(args: readonly string[], stateDir: string): boolean {
  return args.some((arg) => arg.startsWith(`--root=${stateDir}/`));
}

function argumentsOf(pid: string | number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return [];
  }
}
