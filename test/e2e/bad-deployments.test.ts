import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  type Expected,
  invalid,
  missing,
  testRefusals,
  tooLarge,
  withSomething,
} from "../support/refusals.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";
import { archiveOf } from "../support/tar.ts";
import { type ZipEntry, zipOf } from "../support/zip.ts";

const maxCodeBytes = 200_000;
const handlerCode = { path: "index.mjs", text: "export const handler = () => 1;" };

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { maxCodeBytes, ...smallPool } });
  await withSomething(server);
});
after(async () => await server[Symbol.asyncDispose]());

const deployments: { what: string; body: unknown; type?: string; expected: Expected }[] = [
  { what: "a body that is no JSON", body: "{runtime", expected: invalid(/Malformed JSON/) },
  {
    what: "a body that does not say it is JSON",
    body: "{}",
    type: "text/plain",
    expected: invalid(/content type is not application\/json/),
  },
  { what: "no runtime", body: {}, expected: invalid(/runtime/) },
  { what: "an unknown runtime", body: { runtime: "cobol" }, expected: invalid(/runtime/) },
  { what: "no code", body: { runtime: "node" }, expected: invalid(/a node function needs code/) },
  {
    what: "a command function without a command",
    body: { runtime: "command" },
    expected: invalid(/a command function needs a command/),
  },
  {
    what: "a word that is not known",
    body: { ...node("export const handler = () => 1;"), memory: 5 },
    expected: invalid(/memory/),
  },
  {
    what: "a timeout out of bounds",
    body: { ...node("export const handler = () => 1;"), timeoutMs: 0 },
    expected: invalid(/timeoutMs/),
  },
  {
    what: "a variable of no valid name",
    body: { ...node("export const handler = () => 1;"), env: { "A=B": "1" } },
    expected: invalid(/env/),
  },
  {
    what: "an image that is not there",
    body: { ...node("export const handler = () => 1;"), image: "nothing" },
    expected: missing(/image "nothing"/),
  },
  {
    what: "code over its bound",
    body: node(`//${"x".repeat(maxCodeBytes)}`),
    expected: tooLarge(/are more than the 200000 allowed/),
  },
  {
    what: "a body far over the bound of code",
    body: node("x".repeat(maxCodeBytes * 2)),
    expected: tooLarge(/larger than \d+ bytes/),
  },
  {
    what: "code without a handler",
    body: node("export const other = 1;"),
    expected: invalid(/exports other; looked for an exported function `handler`/),
  },
  {
    what: "code without the handler that is named",
    body: { ...node("export const handler = () => 1;"), handler: "index.main" },
    expected: invalid(/looked for an exported function `main`/),
  },
  {
    what: "a handler in a file that is not there",
    body: { ...node("export const handler = () => 1;"), handler: "src/app.main" },
    expected: invalid(/none of these files/),
  },
  {
    what: "code with a syntax error",
    body: node("export const handler = () => {\n  return (;\n};"),
    expected: invalid(/index\.mjs:2[^]*SyntaxError/),
  },
  {
    what: "code that throws when it is loaded",
    body: node("throw new TypeError('not today');"),
    expected: invalid(/TypeError: not today/),
  },
  {
    what: "code that exits when it is loaded",
    body: node("console.error('last words'); process.exit(3);"),
    expected: invalid(/exited with code 3[^]*last words/),
  },
  {
    what: "python code without a handler",
    body: { runtime: "python", code: { source: "x = 1" } },
    expected: invalid(/main\.py defines x; looked for the function handler/),
  },
  {
    what: "python code with a syntax error",
    body: { runtime: "python", code: { source: "def handler(event, context)\n  pass" } },
    expected: invalid(/main\.py", line 1[^]*SyntaxError/),
  },
  {
    what: "python code that raises when it is loaded",
    body: { runtime: "python", code: { source: "raise RuntimeError('not today')" } },
    expected: invalid(/RuntimeError: not today/),
  },
  {
    what: "an archive that is none",
    body: { runtime: "node", code: { archive: Buffer.from("hello").toString("base64") } },
    expected: invalid(/Cannot read the code archive/),
  },
  {
    what: "an archive that is not base64",
    body: { runtime: "node", code: { archive: "***" } },
    expected: invalid(/code/),
  },
  {
    what: "an archive with ..",
    body: { runtime: "node", code: archiveOf(handlerCode, { path: "../evil", text: "x" }) },
    expected: invalid(/"\.\.\/evil": it has a \.\. segment/),
  },
  {
    what: "an archive with an absolute path",
    body: { runtime: "node", code: archiveOf(handlerCode, { path: "/etc/evil", text: "x" }) },
    expected: invalid(/"\/etc\/evil": it is absolute/),
  },
  {
    what: "an archive with a symbolic link that leaves it",
    body: {
      runtime: "node",
      code: archiveOf(handlerCode, { path: "out", type: "2", link: "../../etc/passwd" }),
    },
    expected: invalid(/"out": its link leaves the code/),
  },
  {
    what: "an archive with a symbolic link to an absolute path",
    body: {
      runtime: "node",
      code: archiveOf(handlerCode, { path: "out", type: "2", link: "/etc/passwd" }),
    },
    expected: invalid(/"out": its link is absolute/),
  },
  {
    what: "an archive with a file below a symbolic link",
    body: {
      runtime: "node",
      code: archiveOf(
        handlerCode,
        { path: "d", type: "2", link: "." },
        { path: "d/evil", text: "x" },
      ),
    },
    expected: invalid(/"d" is a file or a link/),
  },
  {
    what: "an archive with a hard link",
    body: {
      runtime: "node",
      code: archiveOf(handlerCode, { path: "hard", type: "1", link: "/etc/passwd" }),
    },
    expected: invalid(/"hard": an entry of type Link is not allowed/),
  },
  {
    what: "an archive with a device",
    body: { runtime: "node", code: archiveOf(handlerCode, { path: "null", type: "3" }) },
    expected: invalid(/"null": an entry of type CharacterDevice is not allowed/),
  },
  {
    what: "an archive with a FIFO",
    body: { runtime: "node", code: archiveOf(handlerCode, { path: "fifo", type: "6" }) },
    expected: invalid(/"fifo": an entry of type FIFO is not allowed/),
  },
  {
    what: "an archive with the same path twice",
    body: { runtime: "node", code: archiveOf(handlerCode, handlerCode) },
    expected: invalid(/"index\.mjs": it is there twice/),
  },
  {
    what: "a zip with ..",
    body: { runtime: "node", code: zipCode(handlerCode, { path: "../evil", text: "x" }) },
    expected: invalid(/"\.\.\/evil": it has a \.\. segment/),
  },
  {
    what: "a zip with the same path twice",
    body: { runtime: "node", code: zipCode(handlerCode, handlerCode) },
    expected: invalid(/"index\.mjs": it is there twice/),
  },
  {
    what: "a zip with a file below a symbolic link",
    body: {
      runtime: "node",
      code: zipCode(
        handlerCode,
        { path: "d", text: ".", mode: 0o120777 },
        { path: "d/evil", text: "x" },
      ),
    },
    expected: invalid(/"d" is a file or a link/),
  },
  {
    what: "a zip that unfolds to more than is allowed",
    body: { runtime: "node", code: zipCode({ path: "a", text: "0".repeat(maxCodeBytes + 1) }) },
    expected: tooLarge(/unfolds to more than 200000 bytes/),
  },
  {
    what: "a zip that is encrypted",
    body: { runtime: "node", code: zipCode({ ...handlerCode, isEncrypted: true }) },
    expected: invalid(/it is encrypted/),
  },
  {
    what: "files with ..",
    body: { runtime: "node", code: { files: [{ path: "a/../../evil", content: "x" }] } },
    expected: invalid(/evil/),
  },
  {
    what: "files with an absolute path",
    body: { runtime: "node", code: { files: [{ path: "/etc/evil", content: "x" }] } },
    expected: invalid(/evil/),
  },
];

const names = ["-first", "a b", "a%2fb", "a.b", "ü", "x".repeat(65)];

testRefusals(
  () => server,
  [
    ...deployments.map((deployment) => ({
      ...deployment,
      what: `a deployment with ${deployment.what}`,
      method: "PUT",
      path: "/v1/functions/bad",
    })),
    ...names.map((name) => ({
      what: `a deployment under the name ${name.slice(0, 10)}`,
      method: "PUT",
      path: `/v1/functions/${name}`,
      body: node("export const handler = () => 1;"),
      expected: invalid(/name: expected 1 to 64 letters/),
    })),
  ],
);

test("code that was refused stays nowhere that a function refers to, and nothing was written outside", async () => {
  const { codeDigest } = await server.client.getFunction("good");
  const kept = await readdir(join(server.config.dataDir, "code"));
  assert.ok(kept.includes(codeDigest ?? ""));
  for (const path of ["evil", "code/evil", "../evil"]) {
    await assert.rejects(stat(join(server.config.dataDir, path)), { code: "ENOENT" });
  }
});

function zipCode(...entries: readonly ZipEntry[]): { archive: string } {
  return { archive: zipOf(...entries).toString("base64") };
}

function node(source: string): { runtime: "node"; code: { source: string } } {
  return { runtime: "node", code: { source } };
}
