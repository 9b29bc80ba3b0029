import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, suite, test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { amount } from "../support/amount.ts";
import { problemOf } from "../support/problem.ts";
import { tarOf } from "../runtime/image/archives.ts";
import { startTestServer } from "../support/server.ts";

const mebibyte = 1024 * 1024;
const mebibytes = amount({ short: 256, long: 1024 });
const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const { id } = await client.createSandbox();

async function bytesOf(body: Promise<ReadableStream<Uint8Array>>): Promise<Buffer> {
  return Buffer.from(await new Response(await body).arrayBuffer());
}

async function* pieces(count: number, piece: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let left = count; left > 0; left--) yield piece;
}

/** How many of the processes that serve archives and watches run inside. */
async function toolsIn(sandbox: string): Promise<number> {
  const { stdout } = await client.runCommand(sandbox, {
    args: ["pgrep", "-fc", "^python3 -I -B -c"],
    user: "root",
  });
  return Number(stdout.text);
}

suite("files of a sandbox", () => {
  test("what was written is read, with the mode that was asked for, by the sandbox's user", async () => {
    const content = randomBytes(100_000);
    await client.writeFile(id, "deep/er/file.bin", content, { parents: true, mode: "640" });
    assert.deepEqual(await bytesOf(client.readFile(id, "deep/er/file.bin")), content);
    const { kind, sizeBytes, mode, uid } = await client.statFile(id, "deep/er/file.bin");
    assert.deepEqual(
      { kind, sizeBytes, mode, uid },
      { kind: "file", sizeBytes: 100_000, mode: 0o640, uid: 1000 },
    );
  });

  const modes: [string | undefined, number, number][] = [
    [undefined, 0o644, 0o755],
    ["600", 0o600, 0o600],
    ["666", 0o666, 0o666],
    ["777", 0o777, 0o777],
    ["444", 0o444, 0o444],
    ["4755", 0o4755, 0o4755],
  ];
  for (const [mode, anew, over] of modes) {
    test(`a file of ${mode ? `mode ${mode}` : "no given mode"} is made so, and another is given it`, async () => {
      await client.runCommand(id, { args: ["rm", "-f", "moded"] });
      await client.writeFile(id, "moded", "a", { mode });
      assert.equal((await client.statFile(id, "moded")).mode, anew);
      await client.runCommand(id, { args: ["chmod", "755", "moded"] });
      await client.writeFile(id, "moded", "b", { mode });
      assert.equal((await client.statFile(id, "moded")).mode, over);
    });
  }

  test("what is written in the place of a link to itself has the usual mode", async () => {
    await client.runCommand(id, { args: ["ln", "-s", "looped", "looped"] });
    await client.writeFile(id, "looped", "a");
    const { kind, mode } = await client.statFile(id, "looped");
    assert.deepEqual([kind, mode], ["file", 0o644]);
  });

  test("a file of any size about that which goes as one piece is read as it was written", async () => {
    for (const sizeBytes of [0, 1, 65_536, 65_537]) {
      const content = randomBytes(sizeBytes);
      await client.writeFile(id, "sized", content);
      const answer = await server.fetch(`/v1/sandboxes/${id}/files?path=sized`);
      assert.equal(answer.headers.get("content-length"), String(sizeBytes));
      assert.deepEqual(Buffer.from(await answer.arrayBuffer()), content);
      assert.deepEqual(await bytesOf(client.readFile(id, "sized")), content);
    }
  });

  const ranges: [string, string][] = [
    ["bytes=0-1", "01"],
    ["bytes=3-", "3456789"],
    ["bytes=-2", "89"],
    ["bytes=8-100", "89"],
  ];
  for (const [range, expected] of ranges) {
    test(`the range ${range} is read`, async () => {
      await client.writeFile(id, "digits", "0123456789");
      const url = `/v1/sandboxes/${id}/files?path=digits`;
      const response = await server.fetch(url, { headers: { range } });
      assert.equal(response.status, 206);
      assert.equal(await response.text(), expected);
    });
  }

  test("a range behind the end is 416, and one that is none is refused", async () => {
    const url = `/v1/sandboxes/${id}/files?path=digits`;
    assert.equal((await server.fetch(url, { headers: { range: "bytes=10-" } })).status, 416);
    assert.equal((await server.fetch(url, { headers: { range: "lines=1-2" } })).status, 400);
  });

  test("a file that is made as it is read is read, in ranges too", async () => {
    const status = await client.readText(id, "/proc/self/status");
    assert.match(status, /^Name:\tpython3/);
    const path = `/v1/sandboxes/${id}/files?path=/proc/sys/kernel/hostname`;
    const part = await server.fetch(path, { headers: { range: "bytes=1-3" } });
    assert.deepEqual([part.status, await part.text()], [206, "unl"]);
  });

  test("an empty file is a file", async () => {
    await client.writeFile(id, "empty", "");
    assert.equal((await bytesOf(client.readFile(id, "empty"))).length, 0);
  });

  test("a file takes its place once it is whole; one that breaks off leaves what was there", async () => {
    await client.writeFile(id, "kept", "before");
    const broken = (async function* () {
      yield randomBytes(1000);
      throw new Error("the upload breaks");
    })();
    await assert.rejects(client.writeFile(id, "kept", broken));
    assert.equal(await client.readText(id, "kept"), "before");
    const left = (await client.listFiles(id, ".")).entries.filter(({ path }) =>
      path.startsWith(".kept"),
    );
    assert.deepEqual(left, []);
  });

  test("names with spaces, quotes and newlines are names as any other", async () => {
    const name = "a b\n'c'\"d\" é %2e ?#&";
    await client.makeDirectory(id, "odd");
    await client.writeFile(id, `odd/${name}`, "content");
    assert.deepEqual(
      (await client.listFiles(id, "odd")).entries.map(({ path }) => path),
      [name],
    );
    assert.equal(await client.readText(id, `odd/${name}`), "content");
    await client.removeFile(id, "odd", { recursive: true });
  });

  test("names that are no UTF-8 are listed byte for byte, and name what they are listed for", async () => {
    const script =
      "import os; os.makedirs(b'raw/\\xff'); open(b'raw/a\\xe2\\x82b', 'w').write('x'); open('raw/a\ufffdb', 'w')";
    await client.runCommand(id, { args: ["python3", "-c", script] });
    const names = async (path: string): Promise<string[]> =>
      (await client.listFiles(id, path)).entries.map((entry) => entry.path);
    const odd = "raw/a\udce2\udc82b";
    const all = ["a\udce2\udc82b", "a\ufffdb", "\udcff"];
    assert.deepEqual(await names("raw"), all);
    assert.equal((await client.statFile(id, odd)).sizeBytes, 1);
    assert.equal(await client.readText(id, odd), "x");
    const archive = await bytesOf(client.packDirectory(id, "raw"));
    assert.ok(archive.includes(Buffer.from([0x61, 0xe2, 0x82, 0x62, 0x00])));
    await client.unpackDirectory(id, "again", archive);
    assert.deepEqual(await names("again"), all);
    await client.moveFile(id, odd, `${odd}2`);
    await client.removeFile(id, `${odd}2`);
    assert.deepEqual(await names("raw"), all.slice(1));
    await client.removeFile(id, "raw", { recursive: true });
    const nul = await server.fetch(`/v1/sandboxes/${id}/files?path=%00%FF`);
    assert.equal(nul.status, 400);
  });

  test("a link is shown as a link, and leads nowhere but inside", async () => {
    await client.runCommand(id, {
      command: "ln -s /etc/hostname out; ln -s ../../../../../etc/passwd up",
    });
    const { kind, target } = await client.statFile(id, "out");
    assert.deepEqual({ kind, target }, { kind: "link", target: "/etc/hostname" });
    assert.match(await client.readText(id, "up"), /^runlet:x:1000/m);
  });

  test("a user reads and writes what the user may, and root all", async () => {
    const denied = await problemOf(client.writeFile(id, "/etc/motd", "hello"));
    assert.equal(denied.code, "permission_denied");
    await client.writeFile(id, "/etc/motd", "hello", { user: "root", mode: "600" });
    assert.equal((await problemOf(client.readText(id, "/etc/motd"))).code, "permission_denied");
    assert.equal(await client.readText(id, "/etc/motd", { user: "root" }), "hello");
  });

  test("directories are listed to a depth, made, moved and removed", async () => {
    await client.makeDirectory(id, "tree/a/b", { parents: true });
    await client.writeFile(id, "tree/a/b/c", "x");
    const paths = async (depth: number): Promise<string[]> =>
      (await client.listFiles(id, "tree", { depth })).entries.map(({ path }) => path);
    assert.deepEqual(await paths(1), ["a"]);
    assert.deepEqual(await paths(3), ["a", "a/b", "a/b/c"]);
    await client.moveFile(id, "tree/a", "tree/z");
    assert.deepEqual(await paths(1), ["z"]);
    await client.writeFile(id, "there", "x");
    assert.equal((await problemOf(client.moveFile(id, "there", "tree/z"))).code, "already_exists");
    assert.equal((await problemOf(client.removeFile(id, "tree"))).code, "failed_precondition");
    await client.removeFile(id, "tree", { recursive: true });
    assert.equal((await problemOf(client.listFiles(id, "tree"))).code, "not_found");
  });

  const refused: [string, () => Promise<unknown>, string][] = [
    [
      "a directory is read as a file",
      async () => await client.readFile(id, "/etc"),
      "failed_precondition",
    ],
    [
      "a device is read as a file",
      async () => await client.readFile(id, "/dev/zero"),
      "invalid_argument",
    ],
    [
      "a file is listed",
      async () => await client.listFiles(id, "/etc/passwd"),
      "failed_precondition",
    ],
    [
      "a directory is overwritten",
      async () => await client.writeFile(id, "/tmp", "x"),
      "failed_precondition",
    ],
    ["nothing is removed", async () => await client.removeFile(id, "nothing"), "not_found"],
    [
      "a name is too long",
      async () => await client.writeFile(id, "n".repeat(300), "x"),
      "invalid_argument",
    ],
  ];
  for (const [what, call, code] of refused) {
    test(`it is refused when ${what}`, async () => {
      assert.equal((await problemOf(call())).code, code);
    });
  }

  test(`${mebibytes} MiB go up and down in bounded memory`, async () => {
    const before = process.memoryUsage().rss;
    let most = before;
    const piece = Buffer.alloc(mebibyte, "runlet");
    await client.writeFile(id, "big", pieces(mebibytes, piece));
    let bytes = 0;
    for await (const chunk of await client.readFile(id, "big")) {
      bytes += chunk.byteLength;
      most = Math.max(most, process.memoryUsage().rss);
    }
    assert.equal(bytes, mebibytes * mebibyte);
    assert.ok(most - before < 300 * mebibyte, `${(most - before) / mebibyte} MiB`);
    await client.removeFile(id, "big");
  });

  test("a directory goes down and up as a tar, with modes, links and odd names", async () => {
    await client.runCommand(id, {
      command:
        "mkdir -p 'src/a b'; echo x > 'src/a b/run'; chmod 750 'src/a b/run'; ln -s 'a b/run' src/link",
    });
    const tar = await bytesOf(client.packDirectory(id, "src"));
    await client.unpackDirectory(id, "dst", tar);
    const shape = async (path: string): Promise<unknown> =>
      (await client.listFiles(id, path, { depth: 3 })).entries.map((each) => [
        each.path,
        each.kind,
        each.mode,
        each.target,
      ]);
    assert.deepEqual(await shape("dst"), await shape("src"));
  });

  const tars: [string, Buffer][] = [
    ["a path that leads up", tarOf([{ path: "../up.txt", content: "x" }])],
    ["an absolute path", tarOf([{ path: "/tmp/absolute.txt", content: "x" }])],
    ["what is no tar", Buffer.alloc(4000, "junk")],
  ];
  for (const [what, tar] of tars) {
    test(`a tar with ${what} is refused or stays below its directory`, async () => {
      await client.unpackDirectory(id, "safe/in", tar).catch(() => undefined);
      assert.equal((await problemOf(client.statFile(id, "safe/up.txt"))).code, "not_found");
      assert.equal((await problemOf(client.statFile(id, "/tmp/absolute.txt"))).code, "not_found");
    });
  }

  test("a watch tells of what changes, in directories too that come later, and ends with its own", async () => {
    await client.makeDirectory(id, "watched");
    const seen: string[] = [];
    for await (const change of client.watchDirectory(id, "watched", { recursive: true })) {
      seen.push("path" in change ? `${change.type} ${change.path}` : change.type);
      if (change.type === "watching") await client.makeDirectory(id, "watched/sub");
      if (seen.at(-1) === "created sub") {
        await client.runCommand(id, { command: "sleep 0.2; echo x > watched/sub/new.txt" });
      }
      if (seen.at(-1) === "written sub/new.txt") {
        await client.removeFile(id, "watched", { recursive: true });
      }
    }
    assert.ok(seen.includes("created sub/new.txt"), seen.join());
    assert.ok(seen.includes("removed sub/new.txt"), seen.join());
    assert.equal(seen.at(-1), "gone");
  });

  test("nothing goes on inside for who leaves a quiet watch or a tar, or asks for the head of one", async () => {
    await client.makeDirectory(id, "quiet");
    await client.runCommand(id, { command: "head -c 30000000 /dev/zero > quiet/large" });
    const none = async (): Promise<true | undefined> =>
      (await toolsIn(id)) === 0 ? true : undefined;
    for (const method of ["GET", "HEAD"]) {
      for (const what of ["watch", "archive"]) {
        const leave = new AbortController();
        const path = `/v1/sandboxes/${id}/files/${what}?path=quiet`;
        const answer = await server.fetch(path, { method, signal: leave.signal });
        assert.equal(answer.status, 200);
        if (method === "GET") {
          assert.equal(await toolsIn(id), 1);
          leave.abort();
        }
        await poll(`see the end of ${method} ${what}`, none, { timeoutMs: 10_000 });
      }
    }
    await client.removeFile(id, "quiet", { recursive: true });
  });
});
