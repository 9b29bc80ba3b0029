import assert from "node:assert/strict";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { execa } from "execa";
import packageJson from "../../../package.json" with { type: "json" };
import { tempDir, type TempDir } from "../../support/temp-dir.ts";

const root = join(import.meta.dirname, "../../..");
const script = "api/cli/check-setup.sh";

test("where all is there, nothing is said before the server starts", async () => {
  const { exitCode, all } = await check("sh", [script], root);
  assert.deepEqual([exitCode, all], [0, ""]);
});

test("npm start in a clone that was never set up says what to do, in no words of Node's own", async () => {
  await using clone = await cloneOf();
  const { exitCode, all } = await check("npm", ["run", "--silent", "start"], clone.path);
  assert.equal(exitCode, 1);
  assert.match(
    all,
    /error: Cannot start the server: npm packages are not installed, such as @hono/,
  );
  assert.match(all, /Run `npm run quickstart`, .*, or `sh api\/cli\/setup\.sh`/);
  assert.doesNotMatch(all, /ERR_|\n {4}at /);
});

test("a Node that is too old is named, and the one that is needed", async () => {
  await using clone = await cloneOf({ engines: { node: ">=99.1" } });
  const { exitCode, all } = await check("sh", [script], clone.path);
  assert.equal(exitCode, 1);
  assert.ok(all.includes(`Node 99 or newer is needed, and this is ${process.versions.node}\n`));
});

test("a package that is there and was never built is named", async () => {
  await using clone = await cloneOf();
  for (const name of Object.keys(packageJson.dependencies)) {
    const path = `node_modules/${name}`;
    await mkdir(dirname(clone.file(path)), { recursive: true });
    if (name !== "node-pty") await symlink(join(root, path), clone.file(path));
  }
  await mkdir(clone.file("node_modules/node-pty"));
  await writeFile(clone.file("node_modules/node-pty/package.json"), '{"main": "nothing.js"}');
  const { exitCode, all } = await check("sh", [script], clone.path);
  assert.equal(exitCode, 1);
  assert.match(all, /: node-pty of the npm packages cannot be loaded\n/);
});

/** What of the tree the check looks at, without its packages. */
async function cloneOf(changed: object = {}): Promise<TempDir> {
  const dir = await tempDir();
  await mkdir(dir.file("api/cli"), { recursive: true });
  await copyFile(join(root, script), dir.file(script));
  const own = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as object;
  await writeFile(dir.file("package.json"), JSON.stringify({ ...own, ...changed }));
  return dir;
}

async function check(
  program: string,
  args: string[],
  cwd: string,
): Promise<{ exitCode?: number; all: string }> {
  // The Node that runs the tests, whatever else is on the path.
  const PATH = `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`;
  return await execa(program, args, {
    cwd,
    env: { PATH, NODE_DISABLE_COMPILE_CACHE: "1" },
    reject: false,
    all: true,
    stripFinalNewline: false,
    timeout: 60_000,
  });
}
