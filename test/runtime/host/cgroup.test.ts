import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { suite, test } from "node:test";
import { execa } from "execa";
import { checkCgroups } from "../../../runtime/host/cgroup.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { mountLine } from "../container/cgroup/tree.ts";

interface Case {
  name: string;
  /** v1 controllers, each with a mount of its own. */
  v1: string[];
  /** What a v2 mount lists, where there is one. */
  v2?: string;
  status: "ok" | "warning";
  found: RegExp;
}

const cases: Case[] = [
  {
    name: "v1 has a mount for each controller",
    v1: ["memory", "cpu", "pids", "freezer"],
    status: "ok",
    found: /^v1, memory, cpu, pids writable$/,
  },
  {
    name: "hybrid has v2 beside v1 without its controllers",
    v1: ["memory", "cpu", "pids"],
    v2: "\n",
    status: "ok",
    found: /^hybrid, /,
  },
  {
    name: "v2 lists its controllers in one file",
    v1: [],
    v2: "cpuset cpu io memory pids\n",
    status: "ok",
    found: /^v2, /,
  },
  {
    name: "v2 without a controller is warned about by name",
    v1: [],
    v2: "cpu pids cpuset\n",
    status: "warning",
    found: /^v2, without memory$/,
  },
  {
    name: "v1 without a controller is warned about by name",
    v1: ["memory"],
    status: "warning",
    found: /^v1, without cpu, pids$/,
  },
  {
    name: "a machine without cgroups is warned about",
    v1: [],
    status: "warning",
    found: /^none, without memory, cpu, pids$/,
  },
];

suite("cgroups", () => {
  for (const { name, v1, v2, status, found } of cases) {
    test(name, async () => {
      await using dir = await tempDir();
      let mounts = "";
      for (const controller of v1) {
        await mkdir(dir.file(controller));
        mounts += mountLine(dir.file(controller), controller);
      }
      if (v2 !== undefined) {
        await writeFile(dir.file("cgroup.controllers"), v2);
        mounts += mountLine(dir.path);
      }
      await writeFile(dir.file("mountinfo"), mounts);
      const check = await checkCgroups(dir.file("mountinfo"));
      assert.equal(check.status, status);
      assert.match(check.found, found);
      assert.equal(check.advice !== undefined, status === "warning");
    });
  }

  const skip = process.getuid?.() === 0 ? false : "a mount needs root";
  test("hierarchies that are mounted read-only are warned about", { skip }, async () => {
    await using dir = await tempDir();
    await using stack = new AsyncDisposableStack();
    const controllers = ["memory", "cpu", "pids"];
    const mounts = controllers.map((name) => mountLine(dir.file(name), name));
    await writeFile(dir.file("mountinfo"), mounts.join(""));
    for (const name of controllers) await mkdir(dir.file(name));
    await execa("mount", ["--bind", "-o", "ro", dir.path, dir.path]);
    stack.defer(async () => void (await execa("umount", [dir.path])));
    const check = await checkCgroups(dir.file("mountinfo"));
    assert.equal(check.status, "warning");
    assert.match(check.found, /^v1, memory, cpu, pids not writable$/);
  });
});
