import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { after, suite, test } from "node:test";
import { problemOf } from "../support/problem.ts";
import { startTestServer } from "../support/server.ts";
import { tarOf } from "../support/tar.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const { id } = await client.createSandbox();
const secret = "for root alone";
const asRoot = { user: "root" } as const;
await client.runCommand(id, {
  command: `mkdir -m 700 /vault && printf '${secret}' > /vault/file && chmod 600 /vault/file`,
  ...asRoot,
});
await client.runCommand(id, {
  command:
    "ln -s /vault way; ln -s /vault/file file; ln -s /proc/1/root root; ln -s round round; mkfifo fifo",
});

const tricks: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  read: async (path) => await client.readText(id, path),
  written: async (path) => await client.writeFile(id, path, "evil"),
  removed: async (path) => await client.removeFile(id, path, { recursive: true }),
  listed: async (path) => await client.listFiles(id, path),
  "made a directory": async (path) => await client.makeDirectory(id, `${path}/made`),
  "moved away": async (path) => await client.moveFile(id, path, "mine"),
  "moved to": async (path) => {
    await client.writeFile(id, "own", "evil");
    await client.moveFile(id, "own", path, { overwrite: true });
  },
  packed: async (path) => {
    const tar = await client.packDirectory(id, path);
    assert.ok(!(await new Response(tar).text()).includes(secret));
    throw await client.readText(id, "/vault/file").catch((error: unknown) => error);
  },
  unpacked: async (path) =>
    await client.unpackDirectory(id, path, tarOf({ path: "file", text: "evil" })),
  "unpacked by a link of the archive": async (path) => {
    const link = { path: "way-of-tar", type: "2", link: dirname(path) } as const;
    const file = { path: "way-of-tar/file", text: "evil" };
    await client.unpackDirectory(id, ".", tarOf(link, file));
  },
  "linked to by an archive": async (path) => {
    await client.unpackDirectory(id, ".", tarOf({ path: "hard-of-tar", type: "1", link: path }));
    await client.readText(id, "hard-of-tar");
  },
  "told of": async (path) => await client.statFile(id, path),
  watched: async (path) => {
    for await (const _ of client.watchDirectory(id, dirname(path))) return;
  },
  "a command's place": async (path) =>
    await client.runCommand(id, { command: "cat file", cwd: dirname(path) }),
  "a context's place": async (path) =>
    await client.openContext(id, { language: "python", cwd: dirname(path) }),
  "moved into": async (path) => {
    await client.writeFile(id, "own", "evil");
    await client.moveFile(id, "own", join(dirname(path), "new"));
  },
  "moved over a link": async (path) => {
    await client.moveFile(id, dirname(path), "mine", { overwrite: true });
    await client.listFiles(id, "mine");
  },
};

suite("what is root's in a sandbox", () => {
  for (const [what, trick] of Object.entries(tricks)) {
    for (const path of ["way/file", "root/vault/file", "/proc/self/root/vault/file"]) {
      test(`is not ${what} by ${path}`, async () => {
        await problemOf(trick(path));
        assert.equal(await client.readText(id, "/vault/file", asRoot), secret);
      });
    }
  }

  test("cannot be linked to by another name and then read", async () => {
    await client.runCommand(id, { command: "ln /vault/file hard; ln -P file hard-link; true" });
    await problemOf(client.readText(id, "hard"));
    assert.equal((await problemOf(client.readText(id, "file"))).code, "permission_denied");
  });

  test("is not read by a path that changes between a directory and a link", async () => {
    const { id: swapping } = await client.startCommand(id, {
      command:
        "mkdir real; echo own > real/file; while :; do ln -sfn real d; ln -sfn /vault d; done",
    });
    for (let round = 0; round < 60; round++) {
      const text = await client.readText(id, "d/file").catch(() => "refused");
      assert.notEqual(text, secret);
    }
    await client.signalCommand(id, swapping, "SIGKILL");
  });

  test("is not read after an account that there cannot be was asked for", async () => {
    await client.runCommand(id, {
      command: "echo evil:x:8589934592:8589934592::/:/bin/sh >> /etc/passwd",
      ...asRoot,
    });
    const evil = { user: "evil" } as const;
    await client.listFiles(id, "/tmp");
    await problemOf(client.readText(id, "/vault/file", evil));
    assert.equal((await problemOf(client.readText(id, "/vault/file"))).code, "permission_denied");
    await problemOf(client.runCommand(id, { command: "cat /vault/file", ...evil }));
    assert.equal((await problemOf(client.readText(id, "/vault/file"))).code, "permission_denied");
    const { stdout } = await client.runCommand(id, { command: "id -u; id -g; cat /vault/file" });
    assert.equal(stdout.text, "1000\n1000\n");
  });
});

suite("what is no file", () => {
  for (const path of ["round", "fifo", "/dev/zero", "/proc/kmsg", "a/".repeat(2000)]) {
    test(`is refused and nobody waits for it: ${path.slice(0, 20)}`, async () => {
      await problemOf(client.readText(id, path));
      const { stdout } = await client.runCommand(id, { command: "echo here" });
      assert.equal(stdout.text, "here\n");
    });
  }
});
