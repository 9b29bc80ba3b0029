import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { basename } from "node:path";

/** What has a runner: the languages that functions are written in, and programs that speak Lambda's Runtime API. */
export type GuestRuntime = "node" | "python" | "provided";

const nodeFlags = [
  // Modules without a package.json are the rule here, and types are stripped on purpose.
  "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",
  "--disable-warning=ExperimentalWarning",
];

/** -I: nothing of the environment or the working directory is imported; -B: no bytecode on the tmpfs. */
const pythonFlags = ["-I", "-B"];

const nodeEntries = {
  node: new URL("node/main.ts", import.meta.url),
  provided: new URL("provided/main.ts", import.meta.url),
};

const sources = new Map<GuestRuntime, string>();

/**
 * The command line of a runner: it travels as a whole in the arguments, so that an image needs nothing but the
 * language. `executable` is a path or a name inside the image, `flags` are further ones of the language.
 */
export function runnerArgs(
  runtime: GuestRuntime,
  executable: string = runtime === "python" ? "python3" : "node",
  flags: readonly string[] = [],
): string[] {
  const source = runnerSource(runtime);
  if (runtime === "python") return [executable, ...pythonFlags, ...flags, "-c", source];
  return [executable, ...nodeFlags, ...flags, "-e", source];
}

/**
 * The environment of a sandbox's agent. Python's own allocator keeps more than a small process needs; what an
 * image sets for Python is not for the agent.
 */
export const agentEnv = { PYTHONMALLOC: "malloc", PYTHONPATH: "", PYTHONHOME: "" } as const;

/** The command line of a sandbox's agent: -s and -S leave packages out, which it has no use for. */
export function agentArgs(): string[] {
  agentSource ??= readFileSync(new URL("agent/boot.py", import.meta.url), "utf8").replace(
    "SOURCE",
    () => JSON.stringify(linkPython("agent", "main", new Set())),
  );
  return ["python3", "-s", "-S", "-B", "-c", agentSource];
}

let agentSource: string | undefined;

/** The source of a runner as one script; made once. */
function runnerSource(runtime: GuestRuntime): string {
  const made = sources.get(runtime) ?? makeSource(runtime);
  sources.set(runtime, made);
  return made;
}

function makeSource(runtime: GuestRuntime): string {
  if (runtime === "python") return linkPython("python", "runner", new Set());
  const modules = new Map<string, string>();
  const entry = linkNode(nodeEntries[runtime], modules);
  const parts = [...modules.values(), `${entry}.startRunner();`].join("\n");
  // The name is what node/failure.ts knows the runner's own frames by.
  return `"use strict";\n((require) => {\n${parts}\n})(require);\n//# sourceURL=runlet:runner`;
}

/** A module with those that it imports before it, as one script with one namespace. */
function linkPython(directory: "python" | "agent", name: string, linked: Set<string>): string {
  if (linked.has(name)) return "";
  linked.add(name);
  const source = readFileSync(new URL(`${directory}/${name}.py`, import.meta.url), "utf8");
  return source.replaceAll(/^from \.(\w+) import .*\n/gm, (_, from: string) =>
    linkPython(directory, from, linked),
  );
}

/**
 * Adds a module, after those that it imports, as one constant that holds its exports; answers the constant's
 * name. Only what the runner's files use is understood: named imports, and exported declarations.
 */
function linkNode(url: URL, modules: Map<string, string>): string {
  const name = `module_${basename(url.pathname, ".ts").replaceAll(/\W/g, "_")}`;
  const isLinked = modules.has(url.href);
  if (isLinked) return name;
  const exported: string[] = [];
  const body = stripTypes(readFileSync(url, "utf8"))
    .replaceAll(importPattern, (_, names: string, from: string) => {
      const source = from.startsWith(".")
        ? linkNode(new URL(from, url), modules)
        : `require("${from}")`;
      return `const {${names.replaceAll(/\sas\s/g, ": ")}} = ${source};`;
    })
    .replaceAll(exportPattern, (_, declaration: string, declared: string) => {
      exported.push(declared);
      return `${declaration}${declared}`;
    })
    .replaceAll(commentPattern, "")
    .replaceAll(/\s*\n\s*/g, "\n");
  modules.set(
    url.href,
    `const ${name} = (() => {\n${body}\nreturn { ${exported.join(", ")} };\n})();`,
  );
  return name;
}

const importPattern = /^import \{([^}]*)\} from "([^"]+)";$/gm;
const commentPattern = /^\s*(?:\/\*\*[\s\S]*?\*\/|\/\/.*)$/gm;
const exportPattern = /^export ((?:async )?function |class |const )(\w+)/gm;

/** Node warns that the function is experimental, once and on our stderr, where it is of no use to anybody. */
function stripTypes(source: string): string {
  const emitWarning = Object.getOwnPropertyDescriptor(process, "emitWarning");
  process.emitWarning = (): void => undefined;
  try {
    return stripTypeScriptTypes(source);
  } finally {
    if (emitWarning) Object.defineProperty(process, "emitWarning", emitWarning);
  }
}
