import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { after, test } from "node:test";
import { startTestServer } from "../../support/server.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { runlet } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url } = server;

const answers = [
  { runtime: "node", answer: '{"hello":"Ada"}', logged: /^invocation / },
  { runtime: "typescript", answer: '{"hello":"Hello, Ada"}', logged: /^invocation / },
  { runtime: "python", answer: '{"hello":"Ada"}', logged: /^invocation / },
  { runtime: "command", answer: '{\n  "NAME": "ADA"\n}\n', logged: /^\{\n/ },
];

for (const { runtime, answer, logged } of answers) {
  test(`the next commands that init names work for a ${runtime} function`, async () => {
    await using dir = await tempDir();
    const options = { url, cwd: dir.path };
    const name = `my-${runtime}`;
    const made = await runlet(["init", name, "--runtime", runtime], options);
    assert.equal(made.exitCode, 0, made.stderr);
    const next = [...made.stdout.matchAll(/^ {2}runlet (.+)$/gm)].map(([, words = ""]) => words);
    assert.deepEqual(next, [
      `dev ${name}`,
      `deploy ${name}`,
      `invoke ${name} --file ${name}/event.json`,
    ]);
    const deployed = await runlet(next[1]?.split(" ") ?? [], options);
    assert.equal(deployed.exitCode, 0, deployed.stderr);
    const invoked = await runlet(next[2]?.split(" ") ?? [], options);
    assert.equal(invoked.stdout, answer, invoked.stderr);
    assert.match((await runlet(["logs", "--function", name], options)).stdout, logged);
  });
}

test("init without words begins a node function in the directory it is called in", async () => {
  await using dir = await tempDir();
  await mkdir(dir.file("a b"));
  const { exitCode, stdout } = await runlet(["init", "--json"], { cwd: dir.file("a b") });
  assert.equal(exitCode, 0);
  const files = ["runlet.json", "index.mjs", "event.json"];
  assert.deepEqual(JSON.parse(stdout), { name: "a-b", directory: ".", files });
  assert.deepEqual((await readdir(dir.file("a b"))).toSorted(), files.toSorted());
});

test("init overwrites no file and writes none where one is there", async () => {
  await using dir = await tempDir();
  await writeFile(dir.file("index.mjs"), "mine");
  const { exitCode, stderr } = await runlet(["init", "."], { cwd: dir.path });
  assert.equal(exitCode, 1);
  assert.match(stderr, /Cannot begin a function in \.: index\.mjs is there already/);
  assert.deepEqual(await readdir(dir.path), ["index.mjs"]);
  assert.equal(await readFile(dir.file("index.mjs"), "utf8"), "mine");
});
