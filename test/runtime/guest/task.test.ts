import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import test from "node:test";
import type { LoadMessage, TaskEntry } from "../../../runtime/guest/messages.ts";
import { errorOf, loadedGuest, NativeGuest } from "./native-guest.ts";

const hostilePaths: [string, TaskEntry[]][] = [
  ["an absolute path", [{ path: "/tmp/runlet-test-x", mode: 0o644, size: 0 }]],
  ["a path upwards", [{ path: "../x", mode: 0o644, size: 0 }]],
  ["a path upwards in the middle", [{ path: "a/../../x", mode: 0o644, size: 0 }]],
  ["an empty path", [{ path: "", mode: 0o644, size: 0 }]],
  ["a path with a NUL", [{ path: "a\0b", mode: 0o644, size: 0 }]],
  ["a directory's path", [{ path: "a/", mode: 0o644, size: 0 }]],
  ["an absolute link", [{ path: "l", link: "/etc/passwd" }]],
  ["a link upwards", [{ path: "a/l", link: "../../x" }]],
  ["a link down and upwards", [{ path: "a/l", link: "b/../../../x" }]],
  ["an empty link", [{ path: "l", link: "" }]],
  [
    "a file through a link",
    [
      { path: "l", link: "a" },
      { path: "l/x", mode: 0o644, size: 0 },
    ],
  ],
  [
    "a link through a link",
    [
      { path: "l", link: "a/b/c" },
      { path: "l/m", link: "../../x" },
    ],
  ],
  ["more bytes than there are", [{ path: "x", mode: 0o644, size: 1 }]],
  ["a negative size", [{ path: "x", mode: 0o644, size: -1 }]],
];
for (const runtime of ["node", "python"] as const) {
  for (const [what, files] of hostilePaths) {
    test(`${runtime}: ${what} is refused and nothing is written outside`, async () => {
      await using guest = await NativeGuest.start(runtime);
      assert.equal(errorOf(await guest.load({}, { files })).name, "InvalidTask");
      assert.equal(existsSync("/tmp/runlet-test-x"), false);
      const written = await readdir(dirname(guest.root));
      assert.deepEqual(
        written.filter((name) => name !== "task"),
        [],
      );
    });
  }

  test(`${runtime}: files keep their modes and links their targets`, async () => {
    await using guest = await NativeGuest.start(runtime);
    const files: TaskEntry[] = [
      { path: "deep/er/run.sh", mode: 0o6755, size: 3 },
      { path: "deep/up", link: "../../task/./deep" },
      { path: "deep/l", link: "../deep//er" },
      { path: "empty", mode: 0o600, size: 0 },
    ];
    const refused = errorOf(await guest.load({}, { files }));
    assert.equal(refused.name, "InvalidTask", "up to the root and past it");
    await using second = await NativeGuest.start(runtime);
    const kept = files.filter(({ path }) => path !== "deep/up");
    const { message, body } = { message: { files: kept }, body: Buffer.from("#!x") };
    await second.channel.send({ ...fullLoad(second.root), ...message }, body);
    assert.equal(errorOf((await second.receive()).message).name, "HandlerNotFound");
    const file = join(second.root, "deep/er/run.sh");
    assert.equal(await readFile(file, "utf8"), "#!x");
    assert.equal((await stat(file)).mode & 0o7777, 0o755);
    assert.equal((await stat(join(second.root, "empty"))).mode & 0o7777, 0o600);
    assert.equal(await readlink(join(second.root, "deep/l")), "../deep//er");
  });

  test(`${runtime}: the code sees its environment, directory and arguments at import`, async () => {
    const source = {
      node: {
        "index.mjs": `const seen = { a: process.env.A, path: !!process.env.PATH, cwd: process.cwd(),
          script: process.argv[1], count: process.argv.length, hour: new Date(0).getHours() };
          export default () => seen;`,
      },
      python: {
        "main.py": [
          "import os, sys, time",
          "seen = {'a': os.environ.get('A'), 'path': bool(os.environ.get('PATH')), 'cwd': os.getcwd(),",
          "  'script': sys.argv[0], 'count': len(sys.argv) + 1, 'hour': time.localtime(0).tm_hour}",
          "def handler(event, context): return seen",
        ].join("\n"),
      },
    };
    await using guest = await loadedGuest(runtime, source[runtime], {
      env: { A: "grüße\n=", TZ: "XYZ-5" },
    });
    assert.deepEqual(JSON.parse((await guest.invoke()).body.toString()), {
      a: "grüße\n=",
      path: true,
      cwd: guest.root,
      script: join(guest.root, runtime === "node" ? "index.mjs" : "main.py"),
      count: 2,
      hour: 5,
    });
  });
}

function fullLoad(root: string): LoadMessage {
  const about = { env: {}, functionName: "f", functionVersion: "1", memoryBytes: 1 };
  return { type: "load", files: [], root, ...about };
}
