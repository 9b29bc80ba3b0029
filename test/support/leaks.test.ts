import assert from "node:assert/strict";
import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { execa } from "execa";
import { findLeaks, isOtherRunUnderWay } from "./leaks.ts";
import { tempDir } from "./temp-dir.ts";

const needsRoot = process.getuid?.() === 0 ? false : "mounts, cgroups and networks need root";

const planted: { kind: string; code: string; skip?: string | false }[] = [
  {
    kind: "process",
    code: `spawn("sleep", ["600"], { cwd: mkdtempSync(prefix), detached: true, stdio: "ignore" }).unref();`,
  },
  {
    kind: "mount",
    code: `execFileSync("mount", ["-t", "tmpfs", "runlet", mkdtempSync(prefix)]);`,
    skip: needsRoot,
  },
  {
    kind: "cgroup",
    code: `
      const root = "/sys/fs/cgroup";
      const hierarchy = existsSync(join(root, "cgroup.controllers")) ? root : join(root, "pids");
      mkdirSync(join(hierarchy, basename(tmpdir()) + "-planted"));`,
    skip: needsRoot,
  },
  { kind: "directory", code: `mkdtempSync(prefix);` },
  {
    kind: "namespace",
    code: `execFileSync("ip", ["netns", "add", basename(tmpdir()) + "-planted"]);`,
    skip: needsRoot,
  },
  {
    kind: "link",
    code: `
      const add = "link add rlplanted type veth peer name rlplanted1";
      execFileSync("ip", add.split(" "));
      execFileSync("ip", ["link", "set", "rlplanted", "alias", basename(tmpdir()) + "-planted"]);`,
    skip: needsRoot,
  },
  {
    kind: "table",
    code: `execFileSync("nft", ["add", "table", "inet", basename(tmpdir()) + "-planted"]);`,
    skip: needsRoot,
  },
];

for (const { kind, code, skip = false } of planted) {
  test(`a run whose test leaves a ${kind} behind fails and names it`, { skip }, async () => {
    const { exitCode, output, left } = await runWith(code);
    assert.notEqual(exitCode, 0, output);
    assert.match(output, new RegExp(`left something behind:[^]*  ${kind} .*`));
    assert.equal(left, "", "and it is taken away");
  });
}

test("a run whose test leaves nothing behind passes", async () => {
  const { exitCode, output, left } = await runWith("");
  assert.equal(exitCode, 0, output);
  assert.equal(left, "");
});

test("what bears the name of no run is a stray, and what another run has is none of ours", async () => {
  await using dir = await tempDir();
  const names = ["runlet-test-run-ours", "runlet-test-run-other", "runlet-test-stray", "unrelated"];
  for (const name of names) await mkdir(dir.file(name));
  await mkdir(dir.file("runlet-test-run-ours", "left"));
  // Strays are told by the whole path, which here is inside another run's directory when all tests run.
  await using handle = await open(dir.path);
  const systemTmp = `/proc/self/fd/${handle.fd}`;
  const leaks = await findLeaks(join(systemTmp, "runlet-test-run-ours"), systemTmp);
  const found = leaks
    .filter(({ key }) => key.startsWith(systemTmp))
    .map(({ key, isOwn }) => [key.slice(systemTmp.length + 1), isOwn]);
  assert.deepEqual(found, [
    ["runlet-test-run-ours/left", true],
    ["runlet-test-stray", false],
  ]);
});

test("a runner that is at work on the machine is seen, such as the one of this test", async () => {
  assert.equal(await isOtherRunUnderWay(), true);
});

interface Outcome {
  exitCode: number | undefined;
  output: string;
  /** What bears the name of the run's temporary directory or of the planted cgroup afterwards. */
  left: string;
}

async function runWith(code: string): Promise<Outcome> {
  await using dir = await tempDir();
  const file = dir.file("planted.test.mjs");
  await writeFile(
    file,
    `import { execFileSync, spawn } from "node:child_process";
    import { existsSync, mkdirSync, mkdtempSync } from "node:fs";
    import { tmpdir } from "node:os";
    import { basename, join } from "node:path";
    import { test } from "node:test";
    const prefix = join(tmpdir(), "runlet-test-");
    test("plants", () => { ${code} });`,
  );
  const setup = join(import.meta.dirname, "global.ts");
  const run = await execa(process.execPath, ["--test", `--test-global-setup=${setup}`, file], {
    all: true,
    reject: false,
    timeout: 60_000,
    // Else the inner runner takes itself for a test file of the outer one.
    env: { NODE_TEST_CONTEXT: undefined, TMPDIR: dir.path, RUNLET_TEST_GRACE_MS: "300" },
  });
  const { stdout } = await execa({ shell: true, reject: false })`
    ls ${dir.path} | grep runlet-test-; grep -F ${`${dir.path}/`} /proc/self/mountinfo;
    ls -d /sys/fs/cgroup/runlet-test-*-planted /sys/fs/cgroup/*/runlet-test-*-planted 2>/dev/null;
    ls /run/netns | grep -F -e -planted; ip -o link | grep rlplanted; nft list tables | grep -F -e -planted;
    ls -l /proc/*/cwd 2>/dev/null | grep -F ${`${dir.path}/`}`;
  return { exitCode: run.exitCode, output: run.all, left: stdout };
}
