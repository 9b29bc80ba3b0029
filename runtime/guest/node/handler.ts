import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TaskEntry } from "../messages.ts";
import type { Context } from "./context.ts";

/** User code that answers an event, or an HTTP request. */
export type Handler =
  | { readonly kind: "event"; call(event: unknown, context: Context): unknown }
  | { readonly kind: "fetch"; call(request: Request, context: Context): unknown };

const extensions = [".mjs", ".js", ".cjs", ".ts", ".mts", ".cts"];
const conventionalNames = ["index", "main", "handler", "app"];

/**
 * Imports the code and finds its handler: the one that `spec` names as `file.export`, or one by convention.
 * @throws HandlerNotFound with what was looked for, or whatever the code throws.
 */
export async function loadHandler(
  root: string,
  entries: readonly TaskEntry[],
  spec: string | undefined,
): Promise<Handler> {
  const file = spec === undefined ? findByConvention(root, entries) : findFile(root, spec);
  process.argv[1] = file;
  const module = await importModule(root, file);
  const exported = spec === undefined ? undefined : spec.slice(spec.lastIndexOf(".") + 1);
  const handler = asHandler(findExport(module, exported));
  if (handler !== undefined) return handler;
  const wanted =
    exported === undefined
      ? "an exported function `handler`, a default function or a default object with `fetch`"
      : `an exported function \`${exported}\` or an object with \`fetch\` of that name`;
  const found = Object.keys(Object(module) as object).join(", ") || "nothing";
  throw notFound(`${file} exports ${found}; looked for ${wanted}`);
}

function findFile(root: string, spec: string): string {
  const dot = spec.lastIndexOf(".");
  const isInside = !spec.startsWith("/") && !spec.split("/").includes("..");
  if (dot <= 0 || dot === spec.length - 1 || !isInside) {
    throw notFound(`${JSON.stringify(spec)} is not of the form file.export`);
  }
  const base = spec.slice(0, dot);
  return firstFile(
    root,
    ["", ...extensions].map((extension) => base + extension),
  );
}

function findByConvention(root: string, entries: readonly TaskEntry[]): string {
  const [only, ...others] = entries;
  if (only !== undefined && others.length === 0) return join(root, only.path);
  const candidates = conventionalNames.flatMap((name) => extensions.map((end) => name + end));
  const main = packageMain(root);
  if (main !== undefined) {
    candidates.push(...["", ...extensions, "/index.js"].map((end) => join(main) + end));
  }
  return firstFile(root, candidates);
}

function packageMain(root: string): string | undefined {
  const path = join(root, "package.json");
  if (!existsSync(path)) return undefined;
  const { main } = JSON.parse(readFileSync(path, "utf8")) as { main?: unknown };
  return typeof main === "string" ? main : undefined;
}

function firstFile(root: string, candidates: readonly string[]): string {
  for (const candidate of candidates) {
    const path = join(root, candidate);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) return path;
  }
  throw notFound(`none of these files is in ${root}: ${candidates.join(", ")}`);
}

/** `require` takes modules of both kinds and is twice as fast; only top-level await needs `import`. */
async function importModule(root: string, file: string): Promise<unknown> {
  try {
    return createRequire(join(root, "/"))(file) as unknown;
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== "ERR_REQUIRE_ASYNC_MODULE") throw error;
    return (await import(pathToFileURL(file).href)) as unknown;
  }
}

function findExport(module: unknown, name: string | undefined): unknown {
  const fallback = property(module, "default");
  if (name !== undefined) return property(module, name) ?? property(fallback, name);
  return property(module, "handler") ?? property(fallback, "handler") ?? fallback ?? module;
}

function property(holder: unknown, name: string): unknown {
  const canHold = (typeof holder === "object" && holder !== null) || typeof holder === "function";
  return canHold ? (holder as Record<string, unknown>)[name] : undefined;
}

function asHandler(value: unknown): Handler | undefined {
  if (typeof value === "function") {
    const call = value as (event: unknown, context: Context) => unknown;
    return { kind: "event", call: (event, context) => call(event, context) };
  }
  const fetch = property(value, "fetch");
  if (typeof fetch !== "function") return undefined;
  return {
    kind: "fetch",
    call: (request, context) => fetch.call(value, request, context) as unknown,
  };
}

function notFound(fact: string): Error {
  const error = new Error(`Cannot find the handler: ${fact}`);
  error.name = "HandlerNotFound";
  return error;
}
