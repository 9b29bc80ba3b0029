import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, test } from "node:test";
import type { Image } from "../../../api/schema/image.ts";
import { tarOf, writeShell } from "../../runtime/image/archives.ts";
import { startTestServer } from "../../support/server.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { runlet, runletOnTerminal } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url } = server;
// Images are shared by all tests.
const name = `cli-${process.pid}`;

test("a directory becomes an image that programs and functions run on, with its progress on stderr, and is removed", async () => {
  await using dir = await tempDir();
  await writeShell(dir.path);
  await writeFile(dir.file("@at"), "kept");
  try {
    const added = await runlet(["image", "add", dir.path, "--name", name], { url });
    assert.equal(added.exitCode, 0, added.stderr);
    assert.match(added.stdout, new RegExp(`^Added ${name} \\(\\d.* [KM]iB\\)\\n$`));
    assert.match(added.stderr, /^sending \.\.\.\n/);
    const listed = await runlet(["images"], { url });
    assert.match(listed.stdout, new RegExp(`^${name} +erofs +\\d.*$`, "m"));
    const script = "read text < /@at; echo $text; echo $0";
    const args = ["run", "--image", name, "--runtime", "command", "sh", "-c", script, "zero"];
    const ran = await runlet(args, { url });
    assert.equal(ran.stdout, "kept\nzero\n", ran.stderr);
    const command = ["sh", "-c", script, "called"];
    await server.client.deploy("own", { runtime: "command", image: name, command });
    const { body } = await server.client.invoke("own");
    assert.equal(Buffer.from(body).toString(), "kept\ncalled\n");
  } finally {
    assert.equal((await runlet(["image", "rm", name], { url })).stdout, `Deleted ${name}\n`);
  }
  const again = await runlet(["image", "rm", name, "--json"], { url });
  assert.equal(again.exitCode, 1);
  assert.equal((JSON.parse(again.stderr) as { code: string }).code, "not_found");
});

test("a tar becomes an image named for its file; with --json there is nothing but the image", async () => {
  await using dir = await tempDir();
  await writeFile(dir.file(`${name}.oci.tar`), tarOf([{ path: "a", content: "a" }]));
  try {
    const args = ["image", "add", `${name}.oci.tar`, "--json"];
    const { stdout, stderr } = await runlet(args, { url, cwd: dir.path });
    assert.equal(stderr, "");
    assert.equal((JSON.parse(stdout) as Image).name, name);
  } finally {
    await runlet(["image", "rm", name, "--json"], { url });
  }
});

test("on a terminal the progress is one line, which is gone at the end", async () => {
  await using dir = await tempDir();
  await writeFile(dir.file("a"), "a");
  try {
    using terminal = runletOnTerminal(["image", "add", dir.path, "--name", name], { url });
    const { exitCode, screen } = await terminal.ended();
    assert.equal(exitCode, 0);
    assert.match(screen, /sending: \d/);
    assert.ok(screen.split("\r\u001B[K").at(-1)?.startsWith("Added "), JSON.stringify(screen));
  } finally {
    await runlet(["image", "rm", name], { url });
  }
});

test("image ls --json lists what there is", async () => {
  const { stdout } = await runlet(["image", "ls", "--json"], { url });
  const { items } = JSON.parse(stdout) as { items: Image[] };
  assert.equal(items.find((image) => image.name === "host")?.kind, "host");
});

const refused: { what: string; args: (path: string) => string[]; says: RegExp }[] = [
  { what: "a path that is not there", args: () => ["nope"], says: /Cannot add nope: no such file/ },
  {
    what: "what is no archive",
    args: (path) => [path, "--name", name],
    says: /\(invalid_argument\)/,
  },
  {
    what: "an impossible name",
    args: (path) => [path, "--name", "A/B"],
    says: /\(invalid_argument\)/,
  },
];

for (const { what, args, says } of refused) {
  test(`image add refuses ${what} with 1`, async () => {
    await using dir = await tempDir();
    await writeFile(dir.file("junk"), Buffer.alloc(5000, "junk"));
    const { exitCode, stdout, stderr } = await runlet(["image", "add", ...args(dir.file("junk"))], {
      url,
    });
    assert.deepEqual({ exitCode, stdout }, { exitCode: 1, stdout: "" }, stderr);
    assert.match(stderr, says);
  });
}
