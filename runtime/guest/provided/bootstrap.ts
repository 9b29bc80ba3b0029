import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { LoadMessage } from "../messages.ts";
import { programEnvironment } from "./environment.ts";
import { namedError } from "./named-error.ts";

/** How a program ended: one of the two is null. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  /** Where the code stands, and the program's working directory. */
  root: string;
  /** `host:port` of the Runtime API. */
  api: string;
  onEnd: (end: ProgramEnd) => void;
}

/**
 * Starts the function's program: its command, or `bootstrap` of its code. It inherits standard output and
 * error and no other descriptor.
 * @throws Runtime.InvalidEntrypoint where there is nothing that can be started.
 */
export async function startProgram(load: LoadMessage, options: ProgramOptions): Promise<void> {
  const { root, api, onEnd } = options;
  const [program = "", ...args] = load.command ?? [join(root, "bootstrap")];
  try {
    const child = spawn(program, args, {
      cwd: root,
      env: programEnvironment(load, root, api),
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.once("exit", (code, signal) => onEnd({ code, signal }));
    await once(child, "spawn");
  } catch (error) {
    throw invalidEntrypoint(program, error as NodeJS.ErrnoException);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file, or the image lacks its interpreter",
  EACCES: "it is not executable",
};

function invalidEntrypoint(program: string, { code = "", message }: NodeJS.ErrnoException): Error {
  const advice = "The code needs an executable `bootstrap` at its root, or the function a command";
  const fact = `Cannot start ${program}: ${reasons[code] ?? message}. ${advice}`;
  return namedError("Runtime.InvalidEntrypoint", fact);
}
