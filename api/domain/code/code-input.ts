import { RunletError } from "../errors.ts";
import type { CodeFile } from "../ports.ts";
import type { Code } from "../../schema/code.ts";
import { readArchive } from "./archive.ts";

const maxFiles = 20_000;

const sourceFileNames = {
  node: "index.mjs",
  python: "main.py",
  bash: "main.sh",
  command: "main",
  provided: "bootstrap",
};

/** The files that a wire description of code stands for. @throws as `readArchive`, and for a file of no path. */
export async function codeFiles(
  code: Code,
  runtime: keyof typeof sourceFileNames,
  maxBytes: number,
): Promise<CodeFile[]> {
  if ("archive" in code) {
    const archive = Buffer.from(code.archive, "base64");
    return await readArchive(archive, { maxBytes, maxFiles });
  }
  if ("source" in code) {
    const path = sourceFileName(code.source, runtime);
    return bounded([{ path, mode: 0o755, bytes: Buffer.from(code.source) }], maxBytes);
  }
  const files = code.files.map((file) => ({
    path: file.path,
    mode: file.executable ? 0o755 : 0o644,
    bytes: Buffer.from(file.content, file.encoding),
  }));
  return bounded(files, maxBytes);
}

/** CommonJS source keeps working when it is given without a file name. */
function sourceFileName(source: string, runtime: keyof typeof sourceFileNames): string {
  if (runtime !== "node") return sourceFileNames[runtime];
  const isModule =
    /^\s*(?:import\s|import\{|export\s|export\{)|\bawait\s+import\(|import\.meta/m.test(source);
  const isCommonJs = /\brequire\s*\(|\bmodule\.exports\b|^\s*exports\.\w/m.test(source);
  return isCommonJs && !isModule ? "index.cjs" : sourceFileNames.node;
}

function bounded(
  files: { path: string; mode: number; bytes: Buffer }[],
  maxBytes: number,
): CodeFile[] {
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  if (bytes > maxBytes) {
    throw new RunletError(
      "payload_too_large",
      `Cannot take the code: ${bytes} bytes are more than the ${maxBytes} allowed`,
    );
  }
  return files;
}
