import assert from "node:assert/strict";
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { execa } from "execa";
import { startTestServer } from "../../support/server.ts";
import { tarOf } from "../../support/tar.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { type Ended, runlet } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const dir = await tempDir();
after(async () => await dir[Symbol.asyncDispose]());
const { url, client } = server;
const { id, files } = await client.sandboxes.open();

async function cp(from: string, to: string, ...options: readonly string[]): Promise<Ended> {
  return await runlet(["cp", from, to, ...options], { url, cwd: dir.path });
}

test("a file goes in and out, to the name that is said or into a directory, with its mode", async () => {
  const content = randomBytes(300_000);
  await writeFile(dir.file("a.bin"), content, { mode: 0o750 });
  const copied = await cp("a.bin", `${id}:deep/b.bin`);
  assert.equal(copied.stdout, `Copied a.bin to ${id}:deep/b.bin\n`, copied.stderr);
  assert.equal((await files.stat("deep/b.bin")).mode, 0o750);
  await cp("a.bin", `${id}:deep`);
  await mkdir(dir.file("back"));
  await cp(`${id}:deep/a.bin`, "back");
  assert.deepEqual(await readFile(dir.file("back", "a.bin")), content);
  await cp(`${id}:deep/b.bin`, "c.bin");
  assert.deepEqual(await readFile(dir.file("c.bin")), content);
  assert.equal((await lstat(dir.file("c.bin"))).mode & 0o777, 0o750);
});

test("what a directory holds goes in and out", async () => {
  await mkdir(dir.file("tree/a/b"), { recursive: true });
  await writeFile(dir.file("tree/a/b/odd\nname 'é'"), "content");
  await symlink("a/b", dir.file("tree/link"));
  assert.equal((await cp("tree", `${id}:tree`)).exitCode, 0);
  const { stdout } = await client.runCommand(id, { command: "ls -l tree; cat tree/link/*" });
  assert.match(stdout.text, /link -> a\/b\ncontent$/);
  const out = await cp(`${id}:tree`, "out", "--json");
  assert.deepEqual(JSON.parse(out.stdout), { from: `${id}:tree`, to: "out", leftOut: 0 });
  assert.equal(await readFile(dir.file("out/a/b/odd\nname 'é'"), "utf8"), "content");
  assert.equal(await readlink(dir.file("out/link")), "a/b");
});

test("what no archive can take stays behind and is told, and all else goes in", async () => {
  await mkdir(dir.file("mixed/sub"), { recursive: true });
  await execa("mkfifo", [dir.file("mixed/sub/pipe")]);
  await writeFile(Buffer.concat([Buffer.from(dir.file("mixed/")), Buffer.from([0xff])]), "odd");
  await writeFile(dir.file("mixed/@file"), "content");
  const { exitCode, stderr } = await cp("mixed", `${id}:mixed`);
  assert.equal(exitCode, 1);
  assert.match(stderr, /\[left out \.\/sub\/pipe: it is no file, directory or link\]/);
  assert.match(stderr, /\[left out \.\/\ufffd: its name is no UTF-8\]/);
  const { entries } = await files.list("mixed", { depth: 2 });
  assert.deepEqual(entries.map(({ path }) => path).toSorted(), ["@file", "sub"]);
  assert.equal(await files.readText("mixed/@file"), "content");
});

test("where nothing can be written, the error says so", async () => {
  await files.write("there", "content");
  const { exitCode, stderr } = await cp(`${id}:there`, "no/where");
  assert.equal(exitCode, 1);
  assert.match(stderr, /^error: Cannot write .*\/no\/where: no such file or directory\n$/);
});

test("an empty directory goes in and out", async () => {
  await mkdir(dir.file("empty"));
  assert.equal((await cp("empty", `${id}:empty`)).exitCode, 0);
  assert.equal((await cp(`${id}:empty`, "nothing-in-it")).stderr, "");
  assert.deepEqual(await readdir(dir.file("nothing-in-it")), []);
});

test("a tar that somebody inside has forged writes nothing outside, and what is left out is told", async () => {
  const archive = tarOf(
    { path: "../escape", text: "x" },
    { path: "/tmp/runlet-test-escape", text: "x" },
    { path: "l", type: "2", link: ".." },
    { path: "l/escape", text: "x" },
    { path: "passwd", type: "2", link: "/etc/passwd" },
    { path: "good", text: "x" },
  );
  await using box = await client.sandboxes.open();
  await box.files.write("/tmp/evil.tar", archive);
  const forged = "#!/bin/sh\ncat /tmp/evil.tar\n";
  const [where = ""] = (
    await box.commands.run({ command: "command -v python3" })
  ).stdout.text.split("\n");
  await box.files.remove(where, { user: "root" });
  await box.files.write(where, forged, { user: "root", mode: "755" });
  const { exitCode, stderr } = await cp(`${box.id}:/tmp`, "forged");
  assert.equal(exitCode, 1);
  const left = ["../escape", "/tmp/runlet-test-escape", "l", "passwd"];
  for (const path of left) assert.ok(stderr.includes(`[left out ${path}: `), stderr);
  assert.deepEqual((await readdir(dir.file("forged"))).toSorted(), ["good", "l"]);
  assert.deepEqual(await readdir(dir.file("forged/l")), ["escape"]);
  assert.ok(!(await readdir(dir.path)).includes("escape"));
});

const refused: [string, string, number, RegExp][] = [
  ["nothing", `${id}:nothing`, 1, /Cannot copy nothing: no such file or directory/],
  [`${id}:nothing`, "nothing", 1, /nothing.*\(not_found\)/],
  ["a.bin", "b.bin", 2, /expected one path of a sandbox, as ID:path/],
  [`${id}:a`, `${id}:b`, 2, /expected one path of a sandbox, as ID:path/],
  ["a.bin", `${id}:/etc/`, 1, /\(permission_denied\)/],
];
for (const [from, to, exitCode, message] of refused) {
  test(`cp ${from.replace(id, "ID")} ${to.replace(id, "ID")} is refused`, async () => {
    await writeFile(dir.file("a.bin"), "x");
    const ended = await cp(from, to);
    assert.equal(ended.exitCode, exitCode, ended.stderr);
    assert.match(ended.stderr, message);
  });
}
