import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { deployment, type DeploymentWords } from "../../../api/cli/deployment.ts";
import { readArchive } from "../../../api/domain/code/archive.ts";
import type { FunctionSpecInput } from "../../../api/schema/function.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { tarGzOf, tarOf } from "../../support/tar.ts";
import { zipOf } from "../../support/zip.ts";

interface Case {
  what: string;
  files: Record<string, string>;
  path: string;
  words?: DeploymentWords;
  name: string;
  spec: { runtime: string; command?: string[] };
}

const cases: Case[] = [
  {
    what: "a module",
    files: { "My Fn.mjs": "x" },
    path: "My Fn.mjs",
    name: "My-Fn",
    spec: { runtime: "node" },
  },
  {
    what: "TypeScript",
    files: { "a.ts": "x" },
    path: "a.ts",
    name: "a",
    spec: { runtime: "node" },
  },
  { what: "Python", files: { "a.py": "x" }, path: "a.py", name: "a", spec: { runtime: "python" } },
  {
    what: "a shell script",
    files: { "a.sh": "x" },
    path: "a.sh",
    name: "a",
    spec: { runtime: "command", command: ["bash", "a.sh"] },
  },
  {
    what: "a file with an interpreter",
    files: { tool: "#!/usr/bin/env python3\n" },
    path: "tool",
    name: "tool",
    spec: { runtime: "command", command: ["./tool"] },
  },
  {
    what: "a file whose runtime is named",
    files: { "a.txt": "x" },
    path: "a.txt",
    words: { runtime: "python", name: "other" },
    name: "other",
    spec: { runtime: "python" },
  },
  {
    what: "a program for the Runtime API",
    files: { native: "\u007FELF" },
    path: "native",
    words: { runtime: "provided" },
    name: "native",
    spec: { runtime: "provided" },
  },
  {
    what: "a directory with a bootstrap that is said to speak the Runtime API",
    files: { "app/bootstrap": "#!/bin/sh" },
    path: "app",
    words: { runtime: "provided" },
    name: "app",
    spec: { runtime: "provided" },
  },
  {
    what: "a provided function with a command of its own",
    files: { "app/app.mjs": "" },
    path: "app",
    words: { runtime: "provided", command: ["node", "app.mjs"] },
    name: "app",
    spec: { runtime: "provided", command: ["node", "app.mjs"] },
  },
  {
    what: "a directory with package.json",
    files: { "app/package.json": "{}", "app/a.py": "" },
    path: "app",
    name: "app",
    spec: { runtime: "node" },
  },
  {
    what: "a directory with Python in it",
    files: { "app/main.py": "", "app/run.sh": "" },
    path: "app",
    name: "app",
    spec: { runtime: "python" },
  },
  {
    what: "a directory with a script to run",
    files: { "app/run.sh": "" },
    path: "app",
    name: "app",
    spec: { runtime: "command", command: ["bash", "run.sh"] },
  },
  {
    what: "a directory with a command of its own",
    files: { "app/x": "" },
    path: "app",
    words: { command: ["./x", "-v"] },
    name: "app",
    spec: { runtime: "command", command: ["./x", "-v"] },
  },
];

for (const { what, files, path, words = {}, name, spec } of cases) {
  test(`${what} is deployed as ${spec.runtime} under the name ${name}`, async () => {
    await using dir = await tempDir();
    await write(dir.path, files);
    const made = await deployment({ path: dir.file(path), ...words });
    assert.equal(made.name, name);
    assert.equal(made.spec.runtime, spec.runtime);
    assert.deepEqual(made.spec.command, spec.command);
    assert.ok(made.spec.code);
  });
}

test("a command of the image needs no code", async () => {
  assert.deepEqual(await deployment({ command: ["/usr/bin/env", "-0"] }), {
    name: "env",
    spec: { runtime: "command", command: ["/usr/bin/env", "-0"] },
  });
});

test("a directory goes as an archive of its files, without .git", async () => {
  await using dir = await tempDir();
  await write(dir.path, { "a/index.mjs": "x", "a/lib/b.mjs": "y", "a/.git/config": "secret" });
  const { spec } = await deployment({ path: dir.file("a") });
  assert.deepEqual(await pathsIn(spec), ["index.mjs", "lib/b.mjs"]);
});

test("a zip goes as it is, under the runtime of what stands at its top", async () => {
  await using dir = await tempDir();
  const zip = zipOf(
    { path: "lib/tool.py", text: "" },
    { path: "index.mjs", text: "x" },
    { path: "README", text: "" },
  );
  await writeFile(dir.file("my code.zip"), zip);
  const { name, spec } = await deployment({ path: dir.file("my code.zip") });
  assert.deepEqual({ name, runtime: spec.runtime }, { name: "my-code", runtime: "node" });
  assert.deepEqual(spec.code, { archive: zip.toString("base64") });
});

for (const [file, pack] of [
  ["my code.tar", tarOf],
  ["my code.tar.gz", tarGzOf],
  ["my code.tgz", tarGzOf],
] as const) {
  test(`${file} goes as it is, under the runtime of what stands at its top`, async () => {
    await using dir = await tempDir();
    const tar = pack({ path: "./lib/tool.mjs", text: "" }, { path: "./main.py", text: "x" });
    await writeFile(dir.file(file), tar);
    const { name, spec } = await deployment({ path: dir.file(file) });
    assert.deepEqual({ name, runtime: spec.runtime }, { name: "my-code", runtime: "python" });
    assert.deepEqual(spec.code, { archive: tar.toString("base64") });
  });
}

const project = JSON.stringify({
  name: "greet",
  runtime: "python",
  handler: "src/app.main",
  timeoutMs: 5000,
  env: { A: "1" },
});
const projects: { what: string; words: DeploymentWords; name: string; spec: object }[] = [
  {
    what: "is taken from its runlet.json",
    words: {},
    name: "greet",
    spec: { runtime: "python", handler: "src/app.main", timeoutMs: 5000, env: { A: "1" } },
  },
  {
    what: "is typed, and wins",
    words: { name: "other", runtime: "node" },
    name: "other",
    spec: { runtime: "node", timeoutMs: 5000, env: { A: "1" } },
  },
  {
    what: "is a command that was typed",
    words: { command: ["cat"] },
    name: "greet",
    spec: { runtime: "command", command: ["cat"], timeoutMs: 5000, env: { A: "1" } },
  },
];
for (const { what, words, name, spec } of projects) {
  test(`what a directory is deployed as ${what}`, async () => {
    await using dir = await tempDir();
    await write(dir.path, { "d/index.mjs": "x", "d/runlet.json": project });
    const made = await deployment({ path: dir.file("d"), ...words });
    const { code: _code, ...config } = made.spec;
    assert.deepEqual({ name: made.name, spec: config }, { name, spec });
  });
}

test("a project's own files are no part of its code", async () => {
  await using dir = await tempDir();
  await write(dir.path, {
    "d/index.mjs": "x",
    "d/runlet.json": '{"runtime": "node"}',
    "d/event.json": "{}",
    "d/data/event.json": "{}",
  });
  const { spec } = await deployment({ path: dir.file("d") });
  assert.deepEqual(await pathsIn(spec), ["data/event.json", "index.mjs"]);
});

const refused: { what: string; files: Record<string, string>; path: string; said: RegExp }[] = [
  { what: "nothing", files: {}, path: "none", said: /no such file or directory/ },
  { what: "a text", files: { a: "text" }, path: "a", said: /Cannot tell the runtime/ },
  {
    what: "a text as a zip",
    files: { "a.zip": "text" },
    path: "a.zip",
    said: /Cannot read .*a\.zip/,
  },
  {
    what: "a text as a tar",
    files: { "a.tar.gz": "text".repeat(200) },
    path: "a.tar.gz",
    said: /Cannot read .*a\.tar\.gz/,
  },
  {
    what: "a directory of texts",
    files: { "d/a": "" },
    path: "d",
    said: /Cannot tell the runtime/,
  },
  {
    what: "a directory with a runlet.json that is no JSON",
    files: { "d/index.mjs": "", "d/runlet.json": "{name: 1}" },
    path: "d",
    said: /Cannot read .*runlet\.json: .*JSON/,
  },
  {
    what: "a directory with a runlet.json that is no object",
    files: { "d/index.mjs": "", "d/runlet.json": "[]" },
    path: "d",
    said: /Cannot read .*runlet\.json: expected a JSON object/,
  },
];

for (const { what, files, path, said } of refused) {
  test(`${what} cannot be deployed`, async () => {
    await using dir = await tempDir();
    await write(dir.path, files);
    await assert.rejects(deployment({ path: dir.file(path) }), said);
  });
}

async function pathsIn({ code }: FunctionSpecInput): Promise<string[]> {
  assert.ok(code && "archive" in code);
  const archive = Buffer.from(code.archive, "base64");
  const files = await readArchive(archive, { maxBytes: 1_000, maxFiles: 10 });
  return files.map(({ path }) => path).toSorted();
}

async function write(directory: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

test("a file for the Runtime API is deployed as the bootstrap that it is", async () => {
  await using directory = await tempDir();
  const path = join(directory.path, "native");
  await writeFile(path, "#!/bin/sh\n");
  const { spec } = await deployment({ path, runtime: "provided" });
  const content = Buffer.from("#!/bin/sh\n").toString("base64");
  const file = { path: "bootstrap", content, encoding: "base64", executable: true };
  assert.deepEqual(spec.code, { files: [file] });
});
