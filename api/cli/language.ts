import { extname } from "node:path";

/** A language that a file is written in, as its name tells. */
export type Language = "node" | "python" | "bash";

const languages: Readonly<Record<string, Language>> = {
  ".js": "node",
  ".mjs": "node",
  ".cjs": "node",
  ".ts": "node",
  ".mts": "node",
  ".cts": "node",
  ".py": "python",
  ".sh": "bash",
};

/** The language of a file by its extension; undefined where that tells nothing. */
export function languageOf(path: string): Language | undefined {
  return languages[extname(path)];
}
