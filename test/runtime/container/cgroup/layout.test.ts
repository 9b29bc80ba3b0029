import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { cgroupLayout } from "../../../../runtime/container/cgroup/layout.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { mountLine } from "./tree.ts";

interface Case {
  name: string;
  /** Directories with the v1 controllers mounted there; those without are v2. */
  mounts: [string, string?][];
  /** What v2 lists. */
  controllers?: string;
  version: string;
  found: [string, number, string[]][];
}

const cases: Case[] = [
  {
    name: "v1 with a mount for each controller",
    mounts: [
      ["memory", "memory"],
      ["cpu", "cpu"],
      ["freezer", "freezer"],
      ["pids", "pids"],
    ],
    version: "v1",
    found: [
      ["memory", 1, ["memory"]],
      ["cpu", 1, ["cpu"]],
      ["pids", 1, ["pids"]],
    ],
  },
  {
    name: "v1 with two controllers in one mount, beside a v2 without any",
    mounts: [["cpu,cpuacct", "cpu,cpuacct"], ["systemd", "xattr,name=systemd"], ["unified"]],
    version: "hybrid",
    found: [["cpu,cpuacct", 1, ["cpu", "cpuacct"]]],
  },
  {
    name: "v2",
    mounts: [["."]],
    controllers: "cpuset cpu io memory pids\n",
    version: "v2",
    found: [[".", 2, ["memory", "cpu", "pids"]]],
  },
  {
    name: "v1 beside a v2 that has a controller of its own",
    mounts: [["memory", "memory"], ["unified"]],
    controllers: "pids",
    version: "hybrid",
    found: [
      ["memory", 1, ["memory"]],
      ["unified", 2, ["pids"]],
    ],
  },
  {
    name: "a hierarchy that is mounted twice",
    mounts: [
      ["memory", "memory"],
      ["again", "memory"],
    ],
    version: "v1",
    found: [["memory", 1, ["memory"]]],
  },
  {
    name: "a blank in a path",
    mounts: [["my memory", "memory"]],
    version: "v1",
    found: [["my memory", 1, ["memory"]]],
  },
  { name: "nothing", mounts: [], version: "none", found: [] },
];

for (const { name, mounts, controllers, version, found } of cases) {
  test(`the layout of a host with ${name} is told`, async () => {
    await using dir = await tempDir();
    let text = "22 1 8:1 / / rw,relatime - ext4 /dev/vda rw\n";
    for (const [directory, v1] of mounts) {
      await mkdir(dir.file(directory), { recursive: true });
      if (v1 === undefined && controllers !== undefined) {
        await writeFile(dir.file(directory, "cgroup.controllers"), controllers);
      }
      text += mountLine(dir.file(directory), v1);
    }
    await writeFile(dir.file("mountinfo"), text);
    const layout = await cgroupLayout(dir.file("mountinfo"));
    assert.equal(layout.version, version);
    assert.deepEqual(
      layout.hierarchies.map((one) => [one.directory, one.version, [...one.controllers]]),
      found.map(([directory, ...rest]) => [dir.file(directory), ...rest]),
    );
  });
}

test("a host whose mounts cannot be read has no cgroups", async () => {
  assert.deepEqual(await cgroupLayout("/nowhere"), { version: "none", hierarchies: [] });
});
