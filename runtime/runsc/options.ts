import type { SandboxLog } from "./sandbox-log.ts";

/** A program and its arguments. */
export interface Command {
  file: string;
  args: string[];
}

/** Makes of a command one that does something first and then becomes it. */
export type Enter = (command: Command) => Command;

/** Global flags of every call; `root` is private to one Runlet, so that nothing of anybody else's is seen. */
export interface GlobalOptions {
  root: string;
  log: string;
  /** `sandbox` for a stack of the container's own, in the network namespace that its spec names. */
  network?: "none" | "sandbox";
  platform?: string;
  overlay2?: string;
  ignoreCgroups?: boolean;
  hostUds?: "none" | "open" | "create" | "all";
  panicLog?: string;
  /** Where the command, and its sandbox if asked to, note how they went, each in a file of its own; see `Trace`. */
  trace?: { prefix: string; command: string; hasSandbox: boolean };
}

/** Global flags that one container differs in. */
export interface OwnFlags {
  hostUds?: GlobalOptions["hostUds"] | undefined;
  network?: GlobalOptions["network"] | undefined;
}

export interface CreateOptions extends Pick<OwnFlags, "network"> {
  bundle: string;
  /** What the process of the command does before it is runsc. */
  enter?: Enter;
  pidFile?: string;
  consoleSocket?: string;
  userLog?: string;
}

export interface RunOptions extends CreateOptions, OwnFlags {
  /** What takes the sandbox's notes from the pipe whose writing end is the last descriptor of the process. */
  sandboxLog?: SandboxLog;
  /** Descriptors of the runsc process that the container gets, as host to guest numbers. */
  passFds?: readonly { host: number; guest: number }[];
  detach?: boolean;
}

export interface ExecOptions {
  /** File with the OCI process spec as JSON. */
  process: string;
  consoleSocket?: string;
  pidFile?: string;
  internalPidFile?: string;
  detach?: boolean;
}

export interface KillOptions {
  all?: boolean;
  pid?: number;
}

export interface CheckpointOptions {
  imagePath: string;
  leaveRunning?: boolean;
  compression?: "none" | "flate-best-speed";
}

export interface RestoreOptions extends CreateOptions {
  imagePath: string;
  detach?: boolean;
}

type Flag = string | false;

function tracedCommands({ command, hasSandbox }: NonNullable<GlobalOptions["trace"]>): string {
  return hasSandbox ? `${command},boot` : command;
}

/** Flags before the subcommand. */
export function globalArgs(options: GlobalOptions): string[] {
  return flags(
    `--root=${options.root}`,
    `--log=${options.log}`,
    "--log-format=json",
    value("network", options.network),
    value("platform", options.platform),
    value("overlay2", options.overlay2),
    value("host-uds", options.hostUds),
    value("panic-log", options.panicLog),
    switched("ignore-cgroups", options.ignoreCgroups),
    value("debug-log", options.trace && `${options.trace.prefix}.%COMMAND%`),
    value("debug-command", options.trace && tracedCommands(options.trace)),
  );
}

export function createArgs(id: string, options: CreateOptions): string[] {
  return ["create", ...createFlags(options), id];
}

export function runArgs(id: string, options: RunOptions): string[] {
  return [
    "run",
    ...createFlags(options),
    ...(options.passFds ?? []).map((fd) => `--pass-fd=${fd.host}:${fd.guest}`),
    ...flags(switched("detach", options.detach)),
    id,
  ];
}

export function execArgs(id: string, options: ExecOptions): string[] {
  return [
    "exec",
    ...flags(
      `--process=${options.process}`,
      value("console-socket", options.consoleSocket),
      value("pid-file", options.pidFile),
      value("internal-pid-file", options.internalPidFile),
      switched("detach", options.detach),
    ),
    id,
  ];
}

/** Signals travel as numbers: runsc's own table of names is shorter than the system's. */
export function killArgs(id: string, signal: number, options: KillOptions): string[] {
  return [
    "kill",
    ...flags(
      switched("all", options.all),
      value("pid", options.pid === undefined ? undefined : String(options.pid)),
    ),
    id,
    String(signal),
  ];
}

export function deleteArgs(id: string, options: { force?: boolean }): string[] {
  return ["delete", ...flags(switched("force", options.force)), id];
}

export function checkpointArgs(id: string, options: CheckpointOptions): string[] {
  return [
    "checkpoint",
    ...flags(
      `--image-path=${options.imagePath}`,
      switched("leave-running", options.leaveRunning),
      value("compression", options.compression),
    ),
    id,
  ];
}

export function restoreArgs(id: string, options: RestoreOptions): string[] {
  return [
    "restore",
    ...createFlags(options),
    ...flags(`--image-path=${options.imagePath}`, switched("detach", options.detach)),
    id,
  ];
}

function createFlags(options: CreateOptions): string[] {
  return flags(
    `--bundle=${options.bundle}`,
    value("pid-file", options.pidFile),
    value("console-socket", options.consoleSocket),
    value("user-log", options.userLog),
  );
}

function flags(...all: Flag[]): string[] {
  return all.filter((flag) => flag !== false);
}

function value(name: string, text: string | undefined): Flag {
  return text === undefined ? false : `--${name}=${text}`;
}

function switched(name: string, on: boolean | undefined): Flag {
  return on === true ? `--${name}` : false;
}
