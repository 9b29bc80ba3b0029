import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { FunctionSpecInput } from "../schema/function.ts";

/** What `runlet.json` in a directory says of the function that the directory holds. */
export type Project = Partial<Omit<FunctionSpecInput, "code">> & { name?: string };

/** The name of a project's file in its directory. */
export const projectFile = "runlet.json";

/** The name of the event that a project is tried with. */
export const eventFile = "event.json";

/**
 * Reads the project of a directory; undefined where it has none. What is in it is checked by the server.
 * @throws Error if the file is not a JSON object.
 */
export async function readProject(directory: string): Promise<Project | undefined> {
  const path = join(directory, projectFile);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new Error(`Cannot read ${path}: ${error.message}`, { cause: error });
  });
  return text === undefined ? undefined : parse(path, text);
}

function parse(path: string, text: string): Project {
  let project: unknown;
  try {
    project = JSON.parse(text);
  } catch (cause) {
    throw new Error(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  if (typeof project === "object" && project !== null && !Array.isArray(project)) return project;
  throw new Error(`Cannot read ${path}: expected a JSON object with name, runtime and limits`);
}

/** A function name from a path: `My Fn.mjs` becomes `My-Fn`. */
export function functionNameOf(path: string): string {
  const stem = basename(path).replace(/(?<=.)(?:\.tar)?\.[^.]*$/, "");
  return stem.replaceAll(/[^a-zA-Z0-9_-]+/g, "-").replaceAll(/^[-_]+|-+$/g, "") || "function";
}
