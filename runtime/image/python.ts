import { execa } from "execa";
import { z } from "zod";
import { basename, join } from "node:path";

const question = `
import json, os, sys, sysconfig
print(json.dumps({
  "program": os.path.realpath(sys.executable),
  "version": "%d.%d" % sys.version_info[:2],
  "standardLibrary": sysconfig.get_path("stdlib"),
}))`;

const answer = z.object({
  program: z.string().startsWith("/"),
  version: z.string(),
  standardLibrary: z.string().startsWith("/"),
});

/** The Python of the host. */
export type Python = z.infer<typeof answer>;

/** Parts of the standard library that a function has no use for, by the name of a directory or file. */
const unneeded =
  /^(?:tests?|idlelib|idle_test|ensurepip|tkinter|turtledemo|lib2to3|config-.+|(?:dist|site)-packages|.+\.opt-\d\.pyc|.+\.a)$/;

/** Finds a Python 3 that works: the system's own, else the first on PATH; undefined if there is none. */
export async function findPython(signal: AbortSignal): Promise<Python | undefined> {
  for (const program of ["/usr/bin/python3", "python3"]) {
    const result = await execa(program, ["-I", "-S", "-c", question], {
      reject: false,
      cancelSignal: signal,
      timeout: 10_000,
    });
    signal.throwIfAborted();
    const parsed = result.failed ? undefined : answer.safeParse(parse(result.stdout));
    if (parsed?.success) return parsed.data;
  }
  return undefined;
}

/** Tells whether a path below the standard library is left out. */
export function isUnneeded(path: string): boolean {
  return unneeded.test(basename(path));
}

/** Compiles modules, given by their paths below `tree`, to caches that are valid whatever the time of a source. */
export async function compileModules(
  python: Python,
  tree: string,
  modules: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (modules.length === 0) return;
  const mode = ["--invalidation-mode", "unchecked-hash"];
  const place = ["-s", tree, "-p", "/", "-i", "-"];
  // Some modules of the standard library are not meant to compile; they stay without a cache.
  await execa(python.program, ["-I", "-m", "compileall", "-q", "-j0", ...mode, ...place], {
    reject: false,
    cancelSignal: signal,
    input: modules.map((path) => join(tree, path)).join("\n"),
  });
  signal.throwIfAborted();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
