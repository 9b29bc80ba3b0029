import { open, readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, resolve } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { Parser, type ReadEntry } from "tar";
import { fromBufferPromise } from "yauzl";
import type { FunctionSpecInput } from "../schema/function.ts";
import { tarOf } from "./directory-tar.ts";
import { languageOf } from "./language.ts";
import { printLeftOut } from "./output.ts";
import { eventFile, functionNameOf, type Project, projectFile, readProject } from "./project.ts";

type Runtime = FunctionSpecInput["runtime"];
type Code = FunctionSpecInput["code"];

export interface DeploymentWords {
  /** A file, a directory, or a zip or tar of one. */
  path?: string | undefined;
  /** A program and its arguments: of the code, or of the image where there is no path. */
  command?: readonly string[] | undefined;
  name?: string | undefined;
  runtime?: Runtime | undefined;
}

export interface Deployment {
  name: string;
  spec: FunctionSpecInput;
}

/** A shell script is a command function. */
function runtimeOf(path: string): Runtime | undefined {
  const language = languageOf(path);
  return language === "bash" ? "command" : language;
}

const runtimeOfManifest: Readonly<Record<string, Runtime>> = {
  "package.json": "node",
  "pyproject.toml": "python",
  "requirements.txt": "python",
};

const tarName = /\.(?:tar|tar\.gz|tgz)$/;

const programNames = ["main", "main.sh", "run", "run.sh", "bootstrap", "bootstrap.sh"];

/**
 * Turns what was typed into a deployment: the code, and a name and a runtime guessed from it. Where a
 * directory has a `runlet.json`, what was not typed is taken from there.
 */
export async function deployment(words: DeploymentWords): Promise<Deployment> {
  const { path, command = [] } = words;
  if (path === undefined) {
    const spec = { ...commandSpec(command), runtime: runtimeOfWords(words) ?? "command" };
    return { name: words.name ?? functionNameOf(command[0] ?? ""), spec };
  }
  const absolute = resolve(path);
  const info = await stat(absolute).catch(() => undefined);
  if (info === undefined) {
    throw new Error(
      `Cannot deploy ${path}: no such file or directory. A command of the image stands after --`,
    );
  }
  const project = info.isDirectory() ? await readProject(absolute) : undefined;
  const name = words.name ?? project?.name ?? functionNameOf(absolute);
  const entriesOf = info.isFile() ? entriesOfArchive(absolute) : undefined;
  if (entriesOf !== undefined) {
    return { name, spec: await packedSpec(absolute, entriesOf, words) };
  }
  if (!info.isDirectory()) return { name, spec: await fileSpec(absolute, words) };
  if (project === undefined) return { name, spec: await directorySpec(absolute, words) };
  return { name, spec: await projectSpec(absolute, project, words) };
}

async function projectSpec(
  path: string,
  project: Project,
  words: DeploymentWords,
): Promise<FunctionSpecInput> {
  const { name: _name, runtime: _runtime, command: ownCommand, handler, ...config } = project;
  const own = runtimeOfWords(project);
  const runtime = runtimeOfWords(words) ?? own;
  const isOwn = runtime === own;
  const command = words.command ?? (isOwn ? ownCommand : undefined);
  const spec = await directorySpec(path, { runtime, command }, isProjectCode);
  return { ...config, ...(isOwn && handler !== undefined && { handler }), ...spec };
}

async function fileSpec(path: string, words: DeploymentWords): Promise<FunctionSpecInput> {
  const file = basename(path);
  const runtime = runtimeOfWords(words) ?? (await runtimeOfFile(path));
  const content = (await readFile(path)).toString("base64");
  const executable = runtime === "command" || runtime === "provided";
  const isBootstrap = runtime === "provided" && words.command === undefined;
  const name = isBootstrap ? "bootstrap" : file;
  const code: Code = { files: [{ path: name, content, encoding: "base64", executable }] };
  if (runtime === "provided") return providedSpec(words, code);
  if (runtime !== "command") return { runtime, code };
  return commandSpec(words.command ?? commandOf(file), code);
}

async function directorySpec(
  path: string,
  words: Pick<DeploymentWords, "runtime" | "command">,
  filter = isCode,
): Promise<FunctionSpecInput> {
  const entries = await readdir(path);
  const pack = async (): Promise<Buffer> =>
    await buffer(tarOf(path, { gzip: true, portable: true, filter, onLeftOut: printLeftOut }));
  return await archiveSpec({ path, entries, pack }, words);
}

/** The paths of all that is in an archive. */
type EntriesOf = (archive: Buffer) => Promise<string[]>;

/** How a file is read that is an archive by its name. */
function entriesOfArchive(path: string): EntriesOf | undefined {
  if (extname(path) === ".zip") return entriesOfZip;
  return tarName.test(path) ? entriesOfTar : undefined;
}

async function packedSpec(
  path: string,
  entriesOf: EntriesOf,
  words: DeploymentWords,
): Promise<FunctionSpecInput> {
  const archive = await readFile(path);
  const paths = await entriesOf(archive).catch((cause: unknown) => {
    throw new Error(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  });
  // What stands at its top.
  const entries = new Set(paths.map((entry) => entry.replace(/^\.\//, "").split("/")[0] ?? ""));
  return await archiveSpec({ path, entries: [...entries], pack: async () => archive }, words);
}

async function entriesOfZip(archive: Buffer): Promise<string[]> {
  const paths: string[] = [];
  const zip = await fromBufferPromise(archive);
  for await (const { fileName } of zip.eachEntry()) paths.push(fileName);
  return paths;
}

async function entriesOfTar(archive: Buffer): Promise<string[]> {
  const paths: string[] = [];
  const onReadEntry = (entry: ReadEntry): void => {
    paths.push(entry.path);
    entry.resume();
  };
  await pipeline(Readable.from([archive]), new Parser({ strict: true, onReadEntry }));
  return paths;
}

interface Packable {
  path: string;
  /** What stands at its top. */
  entries: readonly string[];
  pack: () => Promise<Buffer>;
}

async function archiveSpec(
  { path, entries, pack }: Packable,
  words: Pick<DeploymentWords, "runtime" | "command">,
): Promise<FunctionSpecInput> {
  const runtime = runtimeOfWords(words) ?? runtimeOfEntries(entries);
  if (runtime === undefined) {
    throw new Error(`Cannot tell the runtime of ${path}: name it with --runtime`);
  }
  const code: Code = { archive: (await pack()).toString("base64") };
  if (runtime === "provided") return providedSpec(words, code);
  if (runtime !== "command") return { runtime, code };
  const program = programNames.find((name) => entries.includes(name));
  if (words.command === undefined && program === undefined) {
    throw new Error(
      `Cannot tell the command of ${path}: it has none of ${programNames.join(", ")}. Name it after --`,
    );
  }
  return commandSpec(words.command ?? commandOf(program ?? ""), code);
}

function isCode(entry: string): boolean {
  return !/(?:^|\/)\.git(?:\/|$)/.test(entry);
}

/** What is about the function, not of it, shall make no new version of its code. */
function isProjectCode(entry: string): boolean {
  return isCode(entry) && ![`./${projectFile}`, `./${eventFile}`].includes(entry);
}

function commandSpec(command: readonly string[], code?: Code): FunctionSpecInput {
  return { runtime: "command", command: [...command], ...(code && { code }) };
}

function providedSpec({ command }: DeploymentWords, code: Code): FunctionSpecInput {
  return { runtime: "provided", code, ...(command && { command: [...command] }) };
}

function commandOf(program: string): string[] {
  return program.endsWith(".sh") ? ["bash", program] : [`./${program}`];
}

/** A command makes a command function of anything but a provided one. */
function runtimeOfWords({ command, runtime }: DeploymentWords): Runtime | undefined {
  return command && runtime !== "provided" ? "command" : runtime;
}

async function runtimeOfFile(path: string): Promise<Runtime> {
  const known = runtimeOf(path);
  if (known !== undefined) return known;
  if (await isProgram(path)) return "command";
  throw new Error(
    `Cannot tell the runtime of ${path}: name it with --runtime node, python, command or provided`,
  );
}

/** Whether the kernel could run the file: a script with its interpreter, or an ELF binary. */
async function isProgram(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer: head } = await file.read({ buffer: Buffer.alloc(4) });
  return head.toString("latin1").startsWith("#!") || head.toString("latin1") === "\u007FELF";
}

function runtimeOfEntries(entries: readonly string[]): Runtime | undefined {
  const manifests = entries.map((entry) => runtimeOfManifest[entry]);
  const files = entries.map((entry) => runtimeOf(entry));
  const isLanguage = (runtime?: Runtime): boolean => runtime !== undefined && runtime !== "command";
  return (
    manifests.find(isLanguage) ??
    files.find(isLanguage) ??
    (programNames.some((name) => entries.includes(name)) ? "command" : undefined)
  );
}
