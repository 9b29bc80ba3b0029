import assert from "node:assert/strict";
import { test } from "node:test";
import { codeFiles } from "../../../../api/domain/code/code-input.ts";
import type { Code } from "../../../../api/schema/code.ts";
import { archiveOf } from "../../../support/tar.ts";

const names: { runtime: "node" | "python" | "bash" | "command"; source: string; path: string }[] = [
  { runtime: "node", source: "export const handler = () => 1;", path: "index.mjs" },
  { runtime: "node", source: "import os from 'node:os';", path: "index.mjs" },
  { runtime: "node", source: "console.log(1);", path: "index.mjs" },
  { runtime: "node", source: "exports.handler = () => 1;", path: "index.cjs" },
  { runtime: "node", source: "module.exports = () => 1;", path: "index.cjs" },
  { runtime: "node", source: "const os = require('os');", path: "index.cjs" },
  {
    runtime: "node",
    source:
      "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\nrequire('os');",
    path: "index.mjs",
  },
  { runtime: "python", source: "print(1)", path: "main.py" },
  { runtime: "bash", source: "echo", path: "main.sh" },
  { runtime: "command", source: "#!/bin/sh", path: "main" },
];

for (const { runtime, source, path } of names) {
  test(`the ${runtime} source ${JSON.stringify(source.slice(0, 30))} is a file ${path}`, async () => {
    const [file, ...others] = await codeFiles({ source }, runtime, 1_000);
    assert.equal(others.length, 0);
    assert.ok(file && "bytes" in file);
    assert.equal(file.path, path);
    assert.equal(Buffer.from(file.bytes).toString(), source);
  });
}

test("files are taken in their encoding and with their executability", async () => {
  const files = await codeFiles(
    {
      files: [
        { path: "a", content: "ü", encoding: "utf8", executable: false },
        { path: "b", content: "AP8=", encoding: "base64", executable: true },
      ],
    },
    "command",
    1_000,
  );
  assert.deepEqual(files, [
    { path: "a", mode: 0o644, bytes: Buffer.from("ü") },
    { path: "b", mode: 0o755, bytes: Buffer.from([0, 255]) },
  ]);
});

test("an archive is read", async () => {
  const files = await codeFiles(archiveOf({ path: "a", text: "x" }), "node", 1_000);
  assert.deepEqual(
    files.map(({ path }) => path),
    ["a"],
  );
});

const forms: [form: string, code: Code][] = [
  ["source", { source: "x".repeat(101) }],
  [
    "files",
    {
      files: ["a", "b"].map((path) => {
        return { path, content: "x".repeat(51), encoding: "utf8", executable: false };
      }),
    },
  ],
  ["an archive", archiveOf({ path: "a", text: "x".repeat(101) })],
];

for (const [form, code] of forms) {
  test(`code as ${form} is refused over its bound`, async () => {
    await assert.rejects(codeFiles(code, "node", 100), { code: "payload_too_large" });
  });
}
