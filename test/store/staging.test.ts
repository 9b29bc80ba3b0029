import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { stageBeside } from "../../store/staging.ts";
import { tempDir } from "../support/temp-dir.ts";

const module = join(import.meta.dirname, "../../store/staging.ts");

test("what a killed process has staged goes with the next that stages for the same place, and nothing else", async () => {
  await using dir = await tempDir();
  const script = `import { writeFileSync } from "node:fs";
    const { stageBeside } = await import(${JSON.stringify(module)});
    const { path } = await stageBeside(process.argv[1]);
    writeFileSync(path + "/half", "half");
    console.log(path);
    setInterval(() => {}, 1000);`;
  const args = ["--input-type=module", "-e", script, dir.file("backup")];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const abandoned = String((await once(child.stdout, "data"))[0]).trim();
  await mkdir(dir.file(".backup-mine"));
  await writeFile(dir.file(".backup-mine", "kept"), "kept");
  await writeFile(dir.file(".backup-file"), "kept");
  await symlink(abandoned, dir.file(".backup-link"));
  await using other = await stageBeside(dir.file("other"));
  {
    await using beside = await stageBeside(dir.file("backup"));
    assert.ok((await readdir(abandoned)).includes("half"), "it is still worked in");
    assert.notEqual(beside.path, abandoned);
  }
  child.kill("SIGKILL");
  await once(child, "exit");
  await using staged = await stageBeside(dir.file("backup"));
  const names = [".backup-file", ".backup-link", ".backup-mine"];
  const expected = [
    ...names,
    ...[staged, other].map(({ path }) => path.slice(dir.path.length + 1)),
  ];
  assert.deepEqual((await readdir(dir.path)).toSorted(), expected.toSorted());
  await staged.finish();
  await rename(staged.path, dir.file("backup"));
  assert.deepEqual(await readdir(dir.file("backup")), []);
});
