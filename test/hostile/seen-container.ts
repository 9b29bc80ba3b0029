import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { agentArgs, runnerArgs } from "../../runtime/guest/program.ts";
import type { Spec } from "../../runtime/oci/spec.ts";

/** What a container is for, as its first process tells. */
export type Kind = "agent" | "node" | "python" | "provided" | "build" | "program";

/** A process of the host's, as it was when it was looked at. */
export interface SeenProcess {
  readonly pid: number;
  readonly args: readonly string[];
  /** As NAME=text. */
  readonly environment: readonly string[];
  /** What the kernel tells of it, by the names of its lines. */
  readonly status: Readonly<Record<string, string>>;
  /** What its descriptors are open on. */
  readonly descriptors: ReadonlySet<string>;
  /** What of that it may write to. */
  readonly writable: ReadonlySet<string>;
  /** The namespaces that it has in common with this process. */
  readonly shared: readonly string[];
  /** What stands in its root directory. */
  readonly root: readonly string[];
}

/** A running container with all that it is made of, as the host's /proc and its bundle have it. */
export interface SeenContainer {
  readonly id: string;
  readonly kind: Kind;
  readonly spec: Spec;
  /** The command that waits for it. */
  readonly command: SeenProcess;
  /** The guest's kernel. */
  readonly sandbox: SeenProcess;
  /** What serves it files of the host, where it has any. */
  readonly gofer: SeenProcess | undefined;
}

/** The containers under a state directory that are up. */
export function containersOf(stateDir: string): SeenContainer[] {
  const bundles = join(stateDir, "bundles");
  const isOurs = (pid: number): boolean =>
    argumentsOf(pid).some((arg) => arg.startsWith(`--root=${stateDir}/`));
  const processes = pidsOfHost().filter(isOurs).map(lookAt);
  return namesIn(bundles).flatMap((id) => {
    const text = textOf(join(bundles, id, "config.json"));
    if (text === "") return [];
    const spec = JSON.parse(text) as Spec;
    const own = processes.filter(({ args }) => args.some((arg) => arg.endsWith(id)));
    const command = own.find(({ args }) => args.includes("run") || args.includes("restore"));
    const sandbox = own.find(({ args }) => args.includes("boot"));
    const gofer = own.find(({ args }) => args.includes("gofer"));
    if (command === undefined || sandbox === undefined) return [];
    return [{ id, kind: kindOf(spec), spec, command, sandbox, gofer }];
  });
}

/** All processes of the host. */
export function allProcesses(): SeenProcess[] {
  return pidsOfHost().map(lookAt);
}

function kindOf({ process: { args }, mounts }: Spec): Kind {
  const source = args.at(-1);
  if (source === agentArgs().at(-1)) return "agent";
  for (const runtime of ["node", "python", "provided"] as const) {
    if (source === runnerArgs(runtime).at(-1)) return runtime;
  }
  return mounts.some(({ destination }) => destination === "/run/build/net") ? "build" : "program";
}

function pidsOfHost(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function argumentsOf(pid: number): string[] {
  return textOf(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
}

function lookAt(pid: number): SeenProcess {
  const directory = `/proc/${pid}`;
  const lines = textOf(`${directory}/status`).split("\n");
  const descriptors = namesIn(`${directory}/fd`).map((fd) => ({
    name: linkOf(`${directory}/fd/${fd}`) ?? "",
    flags: /^flags:\t(\d+)$/m.exec(textOf(`${directory}/fdinfo/${fd}`))?.[1] ?? "",
  }));
  const written = descriptors.filter(({ flags }) => (Number.parseInt(flags, 8) & 3) !== 0);
  return {
    pid,
    args: argumentsOf(pid),
    environment: textOf(`${directory}/environ`).split("\0").slice(0, -1),
    status: Object.fromEntries(lines.map((line) => line.split(":\t") as [string, string])),
    descriptors: new Set(descriptors.map(({ name }) => name)),
    writable: new Set(written.map(({ name }) => name)),
    shared: namesIn(`${directory}/ns`).filter(
      (name) => linkOf(`${directory}/ns/${name}`) === linkOf(`/proc/self/ns/${name}`),
    ),
    root: namesIn(`${directory}/root`),
  };
}

/** The sockets at or below a path of the host. */
export function socketsBelow(path: string): string[] {
  const stat = lstatSync(path);
  if (stat.isSocket()) return [path];
  if (!stat.isDirectory()) return [];
  return namesIn(path).flatMap((name) => socketsBelow(join(path, name)));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
