import { execa } from "execa";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Code } from "../../api/schema/code.ts";
import { sharedImagesDir } from "./server.ts";
import { tempDir } from "./temp-dir.ts";

const version = "4.0.2";
const installTimeoutMs = 600_000;

/** What of the package runs; the rest is what it is compiled from. */
const paths = ["index.mjs", "package.json", "rapid-client.node"];

/** Installed once: its client is C++ that is compiled by cmake and g++, which takes up to two minutes. */
const cache = join(dirname(sharedImagesDir), `aws-lambda-ric-${version}`);

/** Lambda's own client for node and an `app.mjs` beside it, as the code of a function. */
export async function ricCode(app: string): Promise<Code> {
  if (!existsSync(cache)) await install();
  const files = paths.map(async (path) => ({
    path: `node_modules/aws-lambda-ric/${path}`,
    content: (await readFile(join(cache, path))).toString("base64"),
    encoding: "base64" as const,
    executable: false,
  }));
  const handlers = { path: "app.mjs", content: app, encoding: "utf8", executable: false } as const;
  return { files: [...(await Promise.all(files)), handlers] };
}

async function install(): Promise<void> {
  await using directory = await tempDir();
  await writeFile(directory.file("package.json"), '{"private": true}');
  const args = ["install", "--no-audit", "--no-fund", `aws-lambda-ric@${version}`];
  // npm leaves a compile cache in the temporary directory.
  const env = { TMPDIR: directory.path };
  await execa("npm", args, { cwd: directory.path, env, timeout: installTimeoutMs });
  const built = directory.file("node_modules", "aws-lambda-ric");
  const partial = `${cache}.${process.pid}`;
  await mkdir(partial, { recursive: true });
  for (const path of paths) await cp(join(built, path), join(partial, path));
  await rename(partial, cache);
}
