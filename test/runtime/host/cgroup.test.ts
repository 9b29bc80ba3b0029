import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { suite, test } from "node:test";
import { execa } from "execa";
import { cgroupLayout, checkCgroups } from "../../../runtime/host/cgroup.ts";
import { tempDir } from "../../support/temp-dir.ts";

interface Case {
  name: string;
  directories: string[];
  /** Controllers listed at the root, and under `unified`. */
  root?: string;
  unified?: string;
  version: string;
  status: "ok" | "warning";
  found: RegExp;
}

const cases: Case[] = [
  {
    name: "v1 has a directory for each controller",
    directories: ["memory", "cpu", "pids", "freezer"],
    version: "v1",
    status: "ok",
    found: /^v1, memory, cpu, pids writable$/,
  },
  {
    name: "hybrid has v2 beside v1 without its controllers",
    directories: ["memory", "cpu", "pids", "unified"],
    unified: "\n",
    version: "hybrid",
    status: "ok",
    found: /^hybrid, /,
  },
  {
    name: "v2 lists its controllers in one file",
    directories: [],
    root: "cpuset cpu io memory pids\n",
    version: "v2",
    status: "ok",
    found: /^v2, /,
  },
  {
    name: "v2 without a controller is warned about by name",
    directories: [],
    root: "cpu pids cpuset\n",
    version: "v2",
    status: "warning",
    found: /^v2, without memory$/,
  },
  {
    name: "v1 without a controller is warned about by name",
    directories: ["memory"],
    version: "v1",
    status: "warning",
    found: /^v1, without cpu, pids$/,
  },
  {
    name: "a machine without cgroups is warned about",
    directories: [],
    version: "none",
    status: "warning",
    found: /^none, without memory, cpu, pids$/,
  },
];

suite("cgroups", () => {
  for (const { name, directories, root, unified, version, status, found } of cases) {
    test(name, async () => {
      await using dir = await tempDir();
      for (const directory of directories) await mkdir(dir.file(directory));
      if (root !== undefined) await writeFile(dir.file("cgroup.controllers"), root);
      if (unified !== undefined) {
        await writeFile(dir.file("unified", "cgroup.controllers"), unified);
      }
      assert.equal((await cgroupLayout(dir.path)).version, version);
      const check = await checkCgroups(dir.path);
      assert.equal(check.status, status);
      assert.match(check.found, found);
      assert.equal(check.advice !== undefined, status === "warning");
    });
  }

  const skip = process.getuid?.() === 0 ? false : "a mount needs root";
  test("hierarchies that are mounted read-only are warned about", { skip }, async () => {
    await using dir = await tempDir();
    await using stack = new AsyncDisposableStack();
    for (const name of ["memory", "cpu", "pids"]) await mkdir(dir.file(name));
    await execa("mount", ["--bind", "-o", "ro", dir.path, dir.path]);
    stack.defer(async () => void (await execa("umount", [dir.path])));
    const check = await checkCgroups(dir.path);
    assert.equal(check.status, "warning");
    assert.match(check.found, /^v1, memory, cpu, pids not writable$/);
  });
});
