import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { type ZipEntry, zipOf } from "./zip.ts";

/** A wheel with one module, and what it needs to be installed by name. */
export function wheelOf(name: string, source: string): { path: string; base64: string } {
  const info = `${name}-1.0.0.dist-info`;
  const tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
  const entries: ZipEntry[] = [
    { path: `${name}/__init__.py`, text: source },
    { path: `${info}/METADATA`, text: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0.0\n` },
    { path: `${info}/WHEEL`, text: tags },
  ];
  const record = [...entries.map(({ path }) => `${path},,`), `${info}/RECORD,,`].join("\n");
  const wheel = zipOf(...entries, { path: `${info}/RECORD`, text: record });
  return { path: `${name}-1.0.0-py3-none-any.whl`, base64: wheel.toString("base64") };
}

type Files = Readonly<Record<string, string | { readonly base64: string }>>;

/** A node function of files, each a text or the bytes that its base64 stands for. */
export function node(files: Files): FunctionSpecInput {
  return { runtime: "node", code: codeOf(files) };
}

/** As {@link node}, of Python. */
export function python(files: Files): FunctionSpecInput {
  return { runtime: "python", code: codeOf(files) };
}

function codeOf(files: Files): FunctionSpecInput["code"] {
  return {
    files: Object.entries(files).map(([path, content]) =>
      typeof content === "string"
        ? { path, content }
        : { path, content: content.base64, encoding: "base64" as const },
    ),
  };
}
