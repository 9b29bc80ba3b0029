import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makes a cgroup unless it is there. @throws the system's error. */
export function ensureCgroup(directory: string): void {
  try {
    mkdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** Writes a control file; these writes take microseconds. @throws the system's error. */
export function writeControl(directory: string, file: string, value: string | number): void {
  writeFileSync(join(directory, file), String(value));
}

/** As {@link writeControl}, where the kernel has the file. */
export function writeOptional(directory: string, file: string, value: string | number): void {
  if (hasControl(directory, file)) writeControl(directory, file, value);
}

/** Tells whether the kernel has a control file. */
export function hasControl(directory: string, file: string): boolean {
  return existsSync(join(directory, file));
}

/** The number that is in a control file; undefined where there is none, as after the cgroup's end. */
export function readControl(directory: string, file: string): number | undefined {
  const text = readText(directory, file)?.trim() ?? "";
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The number of one line, `key number`, of a control file; undefined where there is none. */
export function readKeyed(directory: string, file: string, key: string): number | undefined {
  const lines = readText(directory, file)?.split("\n") ?? [];
  const line = lines.find((candidate) => candidate.startsWith(`${key} `));
  return line === undefined ? undefined : Number(line.slice(key.length + 1));
}

/** The processes of a cgroup; none after its end. Those of another pid namespace are left out. */
export function processesIn(directory: string): number[] {
  const lines = readText(directory, "cgroup.procs")?.trim().split("\n") ?? [];
  return lines.map(Number).filter((pid) => pid > 0);
}

function readText(directory: string, file: string): string | undefined {
  try {
    return readFileSync(join(directory, file), "utf8");
  } catch {
    return undefined;
  }
}
