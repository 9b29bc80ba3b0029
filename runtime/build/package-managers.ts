import { execa } from "execa";
import { readFile, realpath } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { z } from "zod";
import { RunletError } from "../errors.ts";

/** What installs the packages of a language. */
export type PackageManager = "npm" | "pip";

/** A package manager of the host: plain files, which the node or the python of any image runs. */
export interface FoundManager {
  readonly directory: string;
  readonly version: string;
}

const advice = {
  npm: "Install Node.js with npm on the host of the server, on Debian: apt-get install npm",
  pip: "Install pip for the Python of the host of the server, on Debian: apt-get install python3-pip",
};

/** Finds a package manager on the host. @throws `unavailable` if there is none. */
export async function findManager(
  manager: PackageManager,
  signal: AbortSignal,
): Promise<FoundManager> {
  const found = manager === "npm" ? await findNpm(signal) : await findPip(signal);
  if (found !== undefined) return found;
  throw new RunletError(
    "unavailable",
    `Cannot install packages: the host has no ${manager}. ${advice[manager]}`,
  );
}

const manifest = z.object({ name: z.literal("npm"), version: z.string() });

async function findNpm(signal: AbortSignal): Promise<FoundManager | undefined> {
  for (const place of (process.env["PATH"] ?? "").split(delimiter)) {
    const program = await realpath(join(place, "npm")).catch(() => undefined);
    if (program === undefined) continue;
    const directory = dirname(dirname(program));
    const known = manifest.safeParse(await readJson(join(directory, "package.json"), signal));
    if (known.success) return { directory, version: known.data.version };
  }
  return undefined;
}

const question = `
import json, os, pip
print(json.dumps({"directory": os.path.dirname(os.path.realpath(pip.__file__)), "version": pip.__version__}))`;

const answer = z.object({ directory: z.string().startsWith("/"), version: z.string() });

async function findPip(signal: AbortSignal): Promise<FoundManager | undefined> {
  for (const program of ["/usr/bin/python3", "python3"]) {
    const { failed, stdout } = await execa(program, ["-I", "-c", question], {
      reject: false,
      cancelSignal: signal,
      timeout: 10_000,
    });
    signal.throwIfAborted();
    if (!failed) return answer.parse(JSON.parse(stdout));
  }
  return undefined;
}

async function readJson(path: string, signal: AbortSignal): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, { encoding: "utf8", signal }));
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}
