import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Problem } from "../../api/schema/problem.ts";
import { problemIn } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";
import { archiveOf } from "../support/tar.ts";

const maxEventBytes = 100_000;
const maxCodeBytes = 200_000;

let server: TestServer;
let initial: unknown;
before(async () => {
  server = await startTestServer({ overrides: { maxEventBytes, maxCodeBytes, ...smallPool } });
  await server.client.deploy("good", {
    runtime: "node",
    code: { source: "export const handler = () => 1;" },
  });
  await server.client.invoke("good");
  initial = await stateOf();
});
after(async () => await server[Symbol.asyncDispose]());

interface Refusal {
  what: string;
  method?: string;
  path: string;
  body?: unknown;
  type?: string;
  expected: { status: number; code: string; detail: RegExp };
}

const json = "application/json";
const invalid = (detail: RegExp): Refusal["expected"] => {
  return { status: 400, code: "invalid_argument", detail };
};
const missing = (detail: RegExp): Refusal["expected"] => {
  return { status: 404, code: "not_found", detail };
};
const tooLarge = (detail: RegExp): Refusal["expected"] => {
  return { status: 413, code: "payload_too_large", detail };
};
const handlerCode = { path: "index.mjs", text: "export const handler = () => 1;" };
const anyId = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";

const requests: Refusal[] = [
  {
    what: "an unknown function",
    method: "POST",
    path: "/v1/functions/nobody/invocations",
    body: {},
    expected: missing(/function nobody: it does not exist/),
  },
  {
    what: "an unknown version",
    method: "POST",
    path: "/v1/functions/good/invocations?version=99",
    body: {},
    expected: missing(/version 99 of function good/),
  },
  {
    what: "a version that is no number",
    method: "POST",
    path: "/v1/functions/good/invocations?version=latest",
    body: {},
    expected: invalid(/version: .*number/),
  },
  {
    what: "an event that says it is JSON and is not",
    method: "POST",
    path: "/v1/functions/good/invocations",
    body: '{"name": "Ada"',
    expected: invalid(/the event: it is not JSON/),
  },
  {
    what: "an event over its bound",
    method: "POST",
    path: "/v1/functions/good/invocations",
    body: "x".repeat(maxEventBytes + 1),
    type: "text/plain",
    expected: tooLarge(/larger than 100000 bytes/),
  },
  {
    what: "an invocation of a function of no valid name",
    method: "POST",
    path: "/v1/functions/a%20b/invocations",
    body: {},
    expected: invalid(/name: expected 1 to 64 letters/),
  },
  { what: "an unknown path", path: "/v1/nothing", expected: missing(/GET \/v1\/nothing/) },
  {
    what: "a method that a path does not have",
    method: "PATCH",
    path: "/v1/functions/good",
    expected: missing(/PATCH/),
  },
  {
    what: "the showing of an unknown function",
    path: "/v1/functions/nobody",
    expected: missing(/does not exist/),
  },
  {
    what: "the deletion of an unknown function",
    method: "DELETE",
    path: "/v1/functions/nobody",
    expected: missing(/does not exist/),
  },
  {
    what: "an unknown invocation",
    path: `/v1/invocations/${anyId}`,
    expected: missing(/not on record/),
  },
  {
    what: "the cancelling of an unknown invocation",
    method: "DELETE",
    path: `/v1/invocations/${anyId}`,
    expected: missing(/not on record/),
  },
  {
    what: "an invocation's id that is none",
    path: "/v1/invocations/17",
    expected: invalid(/id: .*UUID/),
  },
  {
    what: "a cursor that is none",
    path: "/v1/invocations?before=yesterday",
    expected: invalid(/before: .*UUID/),
  },
  {
    what: "a page of no size",
    path: "/v1/invocations?limit=0",
    expected: invalid(/limit: .*>=1/),
  },
  {
    what: "a status that is none",
    path: "/v1/invocations?status=fine",
    expected: invalid(/status/),
  },
  { what: "an unknown image", path: "/v1/images/nothing", expected: missing(/image "nothing"/) },
  {
    what: "the removal of the default image's namesake that is not there",
    method: "DELETE",
    path: "/v1/images/nothing",
    expected: missing(/image "nothing"/),
  },
];

const deployments: { what: string; body: unknown; type?: string; expected: Refusal["expected"] }[] =
  [
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

const executions: { what: string; body: unknown; expected: Refusal["expected"] }[] = [
  { what: "no code", body: { runtime: "node" }, expected: invalid(/expected the code to run/) },
  {
    what: "a command that is not asked for",
    body: { runtime: "bash", code: { source: "true" }, command: ["true"] },
    expected: invalid(/only with it/),
  },
  {
    what: "an entry that is not there",
    body: { runtime: "bash", code: { source: "true" }, entry: "other.sh" },
    expected: invalid(/no file "other\.sh"/),
  },
  {
    what: "files of which none is to be run",
    body: {
      runtime: "python",
      code: {
        files: [
          { path: "a.py", content: "" },
          { path: "b.py", content: "" },
        ],
      },
    },
    expected: invalid(/2 files and none is main or index/),
  },
  {
    what: "an image that is not there",
    body: { runtime: "bash", code: { source: "true" }, image: "nothing" },
    expected: missing(/image "nothing"/),
  },
  {
    what: "a path that leaves the code",
    body: {
      runtime: "bash",
      code: { files: [{ path: "../main.sh", content: "" }] },
      entry: "../main.sh",
    },
    expected: invalid(/main\.sh/),
  },
];

const all: Refusal[] = [
  ...requests,
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
  ...executions.map((execution) => ({
    ...execution,
    what: `an execution with ${execution.what}`,
    method: "POST",
    path: "/v1/execute",
  })),
];

for (const { what, method = "GET", path, body, type = json, expected } of all) {
  test(`${what} is refused with ${expected.code} and changes nothing`, async () => {
    const problem = await send(path, { method, body, type });
    assert.equal(problem.code, expected.code, problem.detail);
    assert.equal(problem.status, expected.status);
    assert.match(problem.detail, expected.detail);
    assert.deepEqual(await stateOf(), initial);
  });
}

test("an image of no valid name or of no archive is refused as the last line of its answer", async () => {
  for (const [path, said] of [
    ["/v1/images/host", /image "host"/],
    ["/v1/images/A%20B", /image "A B"/],
    ["/v1/images/fine", /Cannot read the archive/],
  ] as const) {
    const response = await server.fetch(path, { method: "PUT", body: "abc" });
    const lines = (await response.text()).trim().split("\n");
    const { problem } = JSON.parse(lines.at(-1) ?? "") as { problem: Problem };
    assert.equal(problem.code, "invalid_argument");
    assert.equal(problem.status, 400);
    assert.match(problem.detail, said);
  }
  assert.deepEqual(await stateOf(), initial);
});

test("code that was refused stays nowhere that a function refers to, and nothing was written outside", async () => {
  const { codeDigest } = await server.client.getFunction("good");
  const kept = await readdir(join(server.config.dataDir, "code"));
  assert.ok(kept.includes(codeDigest ?? ""));
  for (const path of ["evil", "code/evil", "../evil"]) {
    await assert.rejects(stat(join(server.config.dataDir, path)), { code: "ENOENT" });
  }
  const passwd = await readFile("/etc/passwd", "utf8");
  assert.match(passwd, /^root:/);
});

function node(source: string): { runtime: "node"; code: { source: string } } {
  return { runtime: "node", code: { source } };
}

async function send(
  path: string,
  { method, body, type }: { method: string; body: unknown; type: string },
): Promise<Problem> {
  const response = await server.fetch(path, {
    method,
    ...(body !== undefined && {
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "content-type": type },
    }),
  });
  return await problemIn(response);
}

/** All that a refused request must leave as it is. */
async function stateOf(): Promise<unknown> {
  const { client } = server;
  const functions = await client.functions({ limit: 200 });
  const invocations = await client.invocations({ limit: 200 });
  const images = await client.images();
  const settled = invocations.items.map(({ id, status }) => ({ id, status }));
  return { functions, settled, images: images.map(({ name }) => name) };
}
