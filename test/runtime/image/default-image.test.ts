import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { before, test } from "node:test";
import { poll, within } from "../../../runtime/deadline.ts";
import { ImageStore } from "../../../runtime/image/image-store.ts";
import type { Image } from "../../../runtime/image/image.ts";
import { runIn, sharedImages, startIn, TestDirectory } from "./guest.ts";

let image: Image;

before(async () => {
  image = await sharedImages().ensureDefault();
});

const programs: [name: string, args: string[], expected: RegExp][] = [
  [
    "node",
    ["node", "-p", "[process.version, process.execPath, process.getuid()].join()"],
    new RegExp(`^${process.version.replaceAll(".", "\\.")},/usr/bin/node,1000\n$`),
  ],
  [
    "python3",
    ["python3", "-c", "import os, ssl, sqlite3, sys; print(sys.version_info[0], os.getuid())"],
    /^3 1000\n$/,
  ],
  ["bash", ["bash", "-c", "echo ${BASH_VERSION%%.*} $UID $HOME"], /^\d+ 1000 \/home\/runlet\n$/],
  ["sh and id", ["sh", "-c", "id -un; id -gn"], /^runlet\nrunlet\n$/],
  [
    "the usual tools",
    ["sh", "-c", "seq 3 | sed s/2/x/ | grep -v 1 | sort -r | awk '{print NR $1}' | tr '\\n' ' '"],
    /^1x 23 $/,
  ],
];

for (const [name, args, expected] of programs) {
  test(`the default image runs ${name} as the guest's user`, async () => {
    const run = await runIn(image, args);
    assert.equal(run.stderr, "");
    assert.match(run.stdout, expected);
    assert.equal(run.code, 0);
  });
}

test("the default image has certificates, time zones and UTF-8, and nobody can write to it", async () => {
  const script = `
import os, ssl, sys, zoneinfo
print(len(ssl.create_default_context().get_ca_certs()) > 50)
print(zoneinfo.ZoneInfo("Asia/Tokyo").key, sys.getfilesystemencoding())
print(os.path.getsize("/etc/ssl/certs/ca-certificates.crt"))
try: open("/etc/passwd", "a")
except OSError as error: print(error.strerror)
`;
  const { size } = await stat("/etc/ssl/certs/ca-certificates.crt");
  const run = await runIn(image, ["python3", "-c", script]);
  assert.equal(run.stdout, `True\nAsia/Tokyo utf-8\n${size}\nPermission denied\n`, run.stderr);
});

test("Python in the default image starts from its caches and compiles nothing", async () => {
  const run = await runIn(image, ["python3", "-v", "-c", "import json, asyncio"]);
  const cached = run.stderr.match(/code object from '[^']+\.pyc'/g) ?? [];
  const compiled = run.stderr.match(/code object from '[^']+\.py'/g) ?? [];
  assert.ok(cached.length > 30, run.stderr.slice(-2_000));
  assert.deepEqual(compiled, []);
});

for (const [name, expected] of [
  ["default", ["runsc", "runsc-sandbox"]],
  ["host", ["runsc", "runsc-gofer", "runsc-sandbox"]],
] as const) {
  test(`the processes of a container from the ${name} image are ${expected.join(", ")}`, async () => {
    const args = ["sh", "-c", "echo up; sleep 60"];
    await using guest = await startIn(await sharedImages().get(name), args);
    assert.ok(guest.process.stdout);
    await within(once(guest.process.stdout, "data"), "see the guest", 30_000);
    const seen = await programsWith(`--root=${guest.runscRoot}`);
    assert.deepEqual(seen, expected);
  });
}

test("the default image is built once and is left alone while the host does not change", async () => {
  const [a, b] = await Promise.all([sharedImages().ensureDefault(), sharedImages().get("default")]);
  assert.deepEqual([a.digest, a.createdAtMs], [image.digest, image.createdAtMs]);
  assert.equal(b.digest, image.digest);
});

test("what the dynamic linker has said of a default image is not asked again", async () => {
  const { PATH } = process.env;
  process.env["PATH"] = "/nowhere";
  try {
    const again = await sharedImages().ensureDefault();
    assert.deepEqual([again.digest, again.createdAtMs], [image.digest, image.createdAtMs]);
  } finally {
    process.env["PATH"] = PATH;
  }
});

test("concurrent callers share one build, which takes the place of a stale image", async () => {
  await using directory = await TestDirectory.make();
  const stale = "0".repeat(64);
  await mkdir(directory.file("default"));
  await writeFile(directory.file(`default/${stale}.erofs`), "stale");
  const manifest = { version: 1, digest: stale, sizeBytes: 5, createdAtMs: 0, env: {} };
  await writeFile(directory.file("default/image.json"), JSON.stringify(manifest));
  const store = new ImageStore({ directory: directory.path });
  assert.equal((await store.get("default")).digest, stale);

  const phases: string[] = [];
  const onProgress = ({ phase }: { phase: string }): number => phases.push(phase);
  const built = await Promise.all([
    store.ensureDefault({ onProgress }),
    store.ensureDefault({ onProgress }),
    store.ensureDefault({ onProgress }),
  ]);
  assert.deepEqual(new Set(built.map(({ digest }) => digest)), new Set([image.digest]));
  assert.equal(phases.filter((phase) => phase === "packing").length, 2, "begin and end, once");
  assert.ok(phases.includes("copying"));
  assert.deepEqual(
    (await readdir(directory.file("default"))).sort(),
    [`${image.digest}.erofs`, "image.json"].sort(),
  );
  assert.deepEqual((await readdir(directory.path)).sort(), [".empty", "default"]);

  const file = directory.file(`default/${image.digest}.erofs`);
  const first = await stat(file);
  await store.ensureDefault();
  const second = await stat(file);
  assert.deepEqual([second.ino, second.mtimeMs], [first.ino, first.mtimeMs]);

  await writeFile(file, "cut");
  await store.get("default");
  assert.equal((await stat(file)).size, first.size, "a damaged file is built anew");
});

test("a build that is given up leaves nothing behind and fails with the signal's reason", async () => {
  await using directory = await TestDirectory.make();
  const store = new ImageStore({ directory: directory.path });
  const controller = new AbortController();
  const reason = new Error("enough");
  const onProgress = ({ phase }: { phase: string }): void => {
    if (phase === "copying") controller.abort(reason);
  };
  const { signal } = controller;
  await assert.rejects(store.ensureDefault({ onProgress, signal }), reason);
  await poll(
    "see the staging go",
    async () => ((await readdir(directory.path)).length === 1 ? true : undefined),
    { timeoutMs: 10_000 },
  );
});

/** The names of the processes that have `part` in their command line. */
async function programsWith(part: string): Promise<string[]> {
  const found = new Set<string>();
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (line.includes(part)) found.add(line.split("\0", 1)[0] ?? "");
  }
  return [...found].sort();
}
