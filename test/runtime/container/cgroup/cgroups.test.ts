import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { execa } from "execa";
import type { Cgroup } from "../../../../runtime/container/cgroup/cgroup.ts";
import { removeCgroup } from "../../../../runtime/container/cgroup/remove.ts";
import { Cgroups } from "../../../../runtime/container/cgroup/cgroups.ts";
import { processesIn } from "../../../../runtime/container/cgroup/control-file.ts";
import { vacate } from "../../../../runtime/container/cgroup/enable.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { mountLine, RealTree } from "./tree.ts";

const mebibyte = 1024 * 1024;

suite("the host's cgroups", () => {
  test("take limits, raise and lower them, and are gone at the end", async () => {
    await using tree = await RealTree.open();
    assert.deepEqual([tree.cgroups.missing, tree.cgroups.problems], [[], []]);
    const cgroup = tree.cgroups.of("one", { memoryBytes: 80 * mebibyte, cpus: 1, pids: 20 });
    cgroup.create();
    assert.throws(() => cgroup.create(), { code: "unavailable", message: /EEXIST/ });
    for (const memoryBytes of [160 * mebibyte, 80 * mebibyte, 240 * mebibyte]) {
      cgroup.setLimits({ memoryBytes, cpus: 0.5, pids: 30 });
      assert.equal(memoryLimit(tree), memoryBytes + 48 * mebibyte);
    }
    for (const directory of tree.directories("one")) assert.ok(existsSync(directory));
    await cgroup[Symbol.asyncDispose]();
    await cgroup[Symbol.asyncDispose]();
    for (const directory of tree.directories("one")) assert.ok(!existsSync(directory));
  });

  test("hold a command and all that it starts, count it, and kill what is left of it", async () => {
    await using tree = await RealTree.open();
    const cgroup = tree.cgroups.of("one", { memoryBytes: 80 * mebibyte });
    cgroup.create();
    const child = await started(cgroup);
    for (const directory of tree.directories("one")) {
      assert.equal(processesIn(directory).length, 2, directory);
      assert.ok(processesIn(directory).includes(child.pid ?? 0));
    }
    const { memoryBytes, cpuUs, pids } = cgroup.usage();
    assert.ok(memoryBytes !== undefined && memoryBytes > 0);
    assert.ok(cpuUs !== undefined && cpuUs > 0);
    assert.equal(pids, 2);
    const ended = once(child, "exit");
    await cgroup[Symbol.asyncDispose]();
    assert.deepEqual(await ended, [null, "SIGKILL"]);
  });

  test("of an earlier run are removed with the processes in them", async () => {
    await using tree = await RealTree.open();
    const left = tree.cgroups.of("left");
    left.create();
    const child = await started(left);
    const ended = once(child, "exit");
    await using later = await Cgroups.open({ name: tree.name });
    assert.deepEqual(later.names(), ["left"]);
    await later.remove("left");
    await ended;
    assert.deepEqual(later.names(), []);
    for (const directory of tree.directories("left")) assert.ok(!existsSync(directory));
  });

  test("schedule what enters one as a batch, which pushes nobody from their processor", async () => {
    await using tree = await RealTree.open();
    const cgroup = tree.cgroups.of("one");
    cgroup.create();
    const { file, args } = cgroup.enter({ file: "cat", args: ["/proc/self/stat"] });
    const { stdout } = await execa(file, args);
    // proc(5): the policy is field 41, and the second one may have blanks in it.
    const batch = "3";
    assert.equal(stdout.slice(stdout.lastIndexOf(")") + 2).split(" ")[41 - 3], batch);
  });

  test("are left as they were once closed, and closing twice is harmless", async () => {
    const tree = await RealTree.open();
    tree.cgroups.of("one").create();
    await tree[Symbol.asyncDispose]();
    await tree[Symbol.asyncDispose]();
    for (const directory of tree.directories()) assert.ok(!existsSync(directory));
  });
});

test("where the directories cannot be made the limits are missing, and it is told why", async () => {
  await using dir = await tempDir();
  await writeFile(dir.file("mountinfo"), mountLine("/proc/self/task", "memory"));
  await using cgroups = await Cgroups.open({ name: "own", mountinfo: dir.file("mountinfo") });
  assert.deepEqual(cgroups.missing, ["memory", "cpu", "pids"]);
  assert.match(cgroups.problems.join(), /mkdir .*\/own/);
});

test("the processes of a v2 cgroup are moved aside", async (context) => {
  const root = await v2Root();
  if (root === undefined) return context.skip("no cgroup2 is mounted here");
  await using dir = await tempDir();
  const from = join(root, `runlet-test-vacate${dir.path.replaceAll("/", "-")}`);
  const to = join(from, "aside");
  mkdirSync(from);
  const enter = `echo 0 >${from}/cgroup.procs && echo in && sleep 600`;
  const child = spawn("/bin/sh", ["-c", enter], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  try {
    await once(child.stdout, "data");
    vacate(from, to);
    assert.deepEqual(processesIn(from), []);
    assert.ok(processesIn(to).includes(child.pid ?? 0));
  } finally {
    for (const directory of [to, from]) await removeCgroup(directory, 5000);
    await closed;
  }
});

/** A shell in the cgroup with a child that outlives it. */
async function started(cgroup: Cgroup): Promise<ReturnType<typeof spawn>> {
  const script = "sleep 600 & echo up; wait";
  const { file, args } = cgroup.enter({ file: "/bin/sh", args: ["-c", script] });
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

function memoryLimit(tree: RealTree): number {
  const names = ["memory.limit_in_bytes", "memory.max"];
  for (const directory of tree.directories("one")) {
    const name = names.find((candidate) => readdirSync(directory).includes(candidate));
    if (name !== undefined) return Number(readFileSync(join(directory, name), "utf8"));
  }
  throw new Error("No hierarchy has the memory controller");
}

async function v2Root(): Promise<string | undefined> {
  const { stdout } = await execa("findmnt", ["-n", "-t", "cgroup2", "-o", "TARGET"], {
    reject: false,
  });
  return stdout.split("\n")[0] || undefined;
}
