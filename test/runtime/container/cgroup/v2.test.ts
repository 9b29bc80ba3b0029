import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { execa } from "execa";
import { Cgroups } from "../../../../runtime/container/cgroup/cgroups.ts";
import { FakeTree } from "./tree.ts";

const mebibyte = 1024 * 1024;

test("v2: limits are written in its own words, the sandbox's needs on top", async () => {
  await using tree = await FakeTree.make();
  const cgroups = await Cgroups.open({ name: "own", mountinfo: tree.mountinfo });
  assert.deepEqual([cgroups.version, cgroups.missing], ["v2", []]);
  const limits = { memoryBytes: 100 * mebibyte, cpus: 0.25, pids: 10 };
  const cgroup = cgroups.of("one", limits);
  cgroup.create();
  assert.equal(tree.read("own", "one", "memory.max"), String(148 * mebibyte));
  assert.equal(tree.read("own", "one", "cpu.max"), "25000 100000");
  assert.equal(tree.read("own", "one", "pids.max"), String(10 * 4 + 128));
  tree.write("max", "own", "one", "memory.swap.max");
  tree.write("0", "own", "one", "memory.oom.group");
  cgroup.setLimits({ memoryBytes: 52 * mebibyte, cpus: 2 });
  assert.equal(tree.read("own", "one", "memory.max"), String(100 * mebibyte));
  assert.equal(tree.read("own", "one", "memory.swap.max"), "0");
  assert.equal(tree.read("own", "one", "memory.oom.group"), "1");
  assert.equal(tree.read("own", "one", "cpu.max"), "200000 100000");
  assert.equal(tree.read("own", "one", "pids.max"), String(10 * 4 + 128), "as it was");
});

test("v2: controllers are handed down from the root to the parent to the containers", async () => {
  await using tree = await FakeTree.make();
  await Cgroups.open({ name: "own", mountinfo: tree.mountinfo });
  // The last write is what plain files keep.
  assert.equal(tree.read("cgroup.subtree_control"), "+pids");
  assert.equal(tree.read("own", "cgroup.subtree_control"), "+pids");
});

test("v2: a controller that the root refuses to hand down is missing, and so are its limits", async () => {
  await using tree = await FakeTree.make();
  mkdirSync(join(tree.root, "cgroup.subtree_control"));
  const cgroups = await Cgroups.open({ name: "own", mountinfo: tree.mountinfo });
  assert.deepEqual(cgroups.missing, ["memory", "cpu", "pids"]);
  const cgroup = cgroups.of("one", { memoryBytes: mebibyte, cpus: 1, pids: 1 });
  cgroup.create();
  assert.ok(!existsSync(join(tree.root, "own", "one")));
  const command = { file: "runsc", args: ["run"] };
  assert.deepEqual(cgroup.enter(command), command);
  assert.deepEqual([cgroup.oomKills(), cgroup.hasRefusedForks()], [0, false]);
});

test("v2: kills, refused forks and usage are read from its files", async () => {
  await using tree = await FakeTree.make();
  const cgroups = await Cgroups.open({ name: "own", mountinfo: tree.mountinfo });
  const cgroup = cgroups.of("one");
  cgroup.create();
  const nothing = { memoryBytes: undefined, cpuUs: undefined, pids: undefined };
  assert.deepEqual([cgroup.oomKills(), cgroup.usage()], [0, nothing]);
  const at = ["own", "one"];
  tree.write(
    "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n",
    ...at,
    "memory.events",
  );
  tree.write("max 7\n", ...at, "pids.events");
  tree.write("4096\n", ...at, "memory.current");
  tree.write("usage_usec 1500\nuser_usec 1000\n", ...at, "cpu.stat");
  tree.write("19\n", ...at, "pids.current");
  assert.deepEqual([cgroup.oomKills(), cgroup.hasRefusedForks()], [2, true]);
  assert.deepEqual(cgroup.usage(), { memoryBytes: 4096, cpuUs: 1500, pids: 19 });
});

test("v2: a command enters as itself, by writing 0, and then is the command", async () => {
  await using tree = await FakeTree.make();
  const cgroups = await Cgroups.open({ name: "own", mountinfo: tree.mountinfo });
  const cgroup = cgroups.of("one");
  cgroup.create();
  const { file, args } = cgroup.enter({ file: "printf", args: ["%s|", "a b", "--", "'$x'"] });
  const { stdout } = await execa(file, args);
  assert.equal(stdout, "a b|--|'$x'|");
  assert.equal(tree.read("own", "one", "cgroup.procs"), "0\n");
});

test("a command that cannot enter its cgroup does not run", async () => {
  await using tree = await FakeTree.make();
  const cgroups = await Cgroups.open({ name: "own", mountinfo: tree.mountinfo });
  const { file, args } = cgroups.of("never-made").enter({ file: "echo", args: ["ran"] });
  const { stdout, exitCode } = await execa(file, args, { reject: false });
  assert.deepEqual([stdout, exitCode], ["", 126]);
});
