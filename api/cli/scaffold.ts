import { lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { eventFile, functionNameOf, type Project, projectFile } from "./project.ts";

/** What a function may be begun in. */
export type TemplateName = "node" | "typescript" | "python" | "command";

const projects: Readonly<Record<TemplateName, Project>> = {
  node: { runtime: "node", handler: "index.handler" },
  typescript: { runtime: "node", handler: "index.handler" },
  python: { runtime: "python", handler: "main.handler" },
  command: { runtime: "command", command: ["bash", "main.sh"] },
};

const limits: Project = { timeoutMs: 10_000, memoryBytes: 256 * 1024 * 1024 };

/** The names of all templates. */
export const templateNames = Object.keys(projects) as TemplateName[];

/** What was made. */
export interface Scaffold {
  readonly name: string;
  /** Relative to the directory. */
  readonly files: readonly string[];
}

/**
 * Begins a function in a directory, which is made where it is not there.
 * @throws Error if a file of that name is there; nothing is written then.
 */
export async function scaffold(directory: string, template: TemplateName): Promise<Scaffold> {
  const name = functionNameOf(resolve(directory)).slice(0, 64);
  const from = join(import.meta.dirname, "templates", template);
  const code = await Promise.all(
    (await readdir(from)).map(async (file) => [file, await readFile(join(from, file))] as const),
  );
  const files = new Map<string, string | Uint8Array>([
    [projectFile, asJson({ name, ...projects[template], ...limits })],
    ...code.toSorted(([a], [b]) => a.localeCompare(b)),
    [eventFile, asJson({ name: "Ada" })],
  ]);
  await refuseToOverwrite(directory, [...files.keys()]);
  for (const [file, content] of files) {
    const path = join(directory, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content, { flag: "wx" });
  }
  return { name, files: [...files.keys()] };
}

async function refuseToOverwrite(directory: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    const found = await lstat(join(directory, file)).catch(() => undefined);
    if (found === undefined) continue;
    throw new Error(
      `Cannot begin a function in ${directory}: ${file} is there already. Name another directory`,
    );
  }
}

function asJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
