import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { processesOf } from "../../runtime/container/proc.ts";
import { Machine } from "../../runtime/machine.ts";
import { cgroupsOf } from "../support/sandboxes.ts";
import { tempDir } from "../support/temp-dir.ts";

test("a machine removes what a killed one left in its directory, cgroups and all", async () => {
  await using dir = await tempDir();
  const stateDir = dir.file("s");
  const holder = join(import.meta.dirname, "../fixtures/hold-machine.ts");
  const child = spawn(process.execPath, [holder, stateDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const id = line.toString().trim();
  child.kill("SIGKILL");
  await once(child, "exit");
  const left = cgroupsOf(id);
  await using machine = await Machine.open({ stateDir, runsc: "runsc" });
  assert.notDeepEqual(left, []);
  assert.deepEqual(await machine.removal, { containers: [id], problems: [] });
  assert.deepEqual(cgroupsOf(id), []);
  assert.deepEqual(processesOf(machine.runsc.root), []);
  assert.deepEqual(await machine.runsc.list(), []);
});

test("a machine that is closed leaves no file of a container and no cgroup of its name", async () => {
  await using dir = await tempDir();
  const stateDir = dir.file("s");
  const machine = await Machine.open({ stateDir, runsc: "runsc" });
  const own = dir.path.replaceAll("/", "-");
  assert.notDeepEqual(cgroupsOf(own), []);
  await machine[Symbol.asyncDispose]();
  await machine[Symbol.asyncDispose]();
  assert.deepEqual(cgroupsOf(own), []);
  for (const place of ["bundles", "containers", "logs", "left", "tasks"]) {
    assert.deepEqual(await readdir(join(stateDir, place)), [], place);
  }
});
