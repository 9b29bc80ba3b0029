import { taskDirectory } from "../../runtime/oci/spec.ts";
import type { ExecuteRequest } from "../schema/execute.ts";
import { RunletError } from "./errors.ts";
import type { CodeFile } from "./ports.ts";

const programs = { node: "node", python: "python3", bash: "bash" } as const;

/** Where a program works: a copy of its code that it may write to. */
const workDirectory = "/tmp/work";

/**
 * The arguments of an execution's first process. Code is copied to a writable directory first, because
 * programs expect to write beside themselves; the shell that copies becomes the program.
 * @throws `invalid_argument` if there is no telling which file to run.
 */
export function commandLine(request: ExecuteRequest, files: readonly CodeFile[]): string[] {
  const { runtime, command = [], args } = request;
  const program =
    runtime === "command"
      ? [...command, ...args]
      : [programs[runtime], entryOf(request, files), ...args];
  if (files.length === 0) return program;
  const script = `cp -R ${taskDirectory} ${workDirectory} && chmod -R u+w ${workDirectory} && cd ${workDirectory} && exec "$@"`;
  return ["/bin/sh", "-c", script, "sh", ...program];
}

function entryOf({ entry, runtime }: ExecuteRequest, files: readonly CodeFile[]): string {
  const paths = files.map((file) => file.path);
  if (entry !== undefined) {
    if (paths.includes(entry)) return entry;
    throw unclear(`the code has no file ${JSON.stringify(entry)}`);
  }
  const [only] = paths;
  if (paths.length === 1 && only !== undefined) return only;
  const named = paths.find((path) => /^(?:main|index)\.(?:[cm]?[jt]s|py|sh)$/.test(path));
  if (named !== undefined) return named;
  throw unclear(
    `the code has ${paths.length} files and none is main or index; name one as entry for ${runtime}`,
  );
}

function unclear(why: string): RunletError {
  return new RunletError("invalid_argument", `Cannot tell what to run: ${why}`);
}
