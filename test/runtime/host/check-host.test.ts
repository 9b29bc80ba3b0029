import assert from "node:assert/strict";
import { chmod, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { checkHost } from "../../../runtime/host/check-host.ts";
import { tryContainer } from "../../../runtime/host/trial.ts";
import { tempDir } from "../../support/temp-dir.ts";

test("a host that runs containers is told so, with each fact once", async () => {
  await using dir = await tempDir();
  const checks = await checkHost({ dataDir: dir.path });
  const trial = checks.find((check) => check.name === "trial container");
  assert.equal(trial?.status, "ok", trial?.found);
  assert.match(trial.found, /^started and ended in \d+ ms$/);
  assert.equal(new Set(checks.map((check) => check.name)).size, checks.length);
  for (const check of checks) assert.equal(check.status === "ok", check.advice === undefined);
});

test("a quick check tries no container", async () => {
  await using dir = await tempDir();
  const checks = await checkHost({ dataDir: dir.path, quick: true });
  assert.ok(!checks.some((check) => check.name === "trial container"));
  assert.ok(checks.some((check) => check.name === "runsc"));
});

test("no container is tried with a runsc that is missing", async () => {
  await using dir = await tempDir();
  const checks = await checkHost({ dataDir: dir.path, runsc: dir.file("runsc") });
  assert.equal(checks.find((check) => check.name === "runsc")?.status, "error");
  assert.ok(!checks.some((check) => check.name === "trial container"));
});

test("a check that is called off ends with the reason of the signal", async () => {
  await using dir = await tempDir();
  const reason = new Error("called off");
  const check = checkHost({ dataDir: dir.path, signal: AbortSignal.abort(reason) });
  await assert.rejects(check, reason);
});

test("a trial that fails says what runsc says", async () => {
  await using dir = await tempDir();
  await writeFile(dir.file("runsc"), "#!/bin/sh\necho 'no such platform' >&2\nexit 128\n");
  await chmod(dir.file("runsc"), 0o755);
  const check = await tryContainer({ binary: dir.file("runsc"), platform: "systrap" });
  assert.equal(check.status, "error");
  assert.match(check.found, /no such platform/);
});

test("a trial that hangs ends at its deadline and leaves nothing", async () => {
  await using dir = await tempDir();
  const body = 'case "$*" in *" run "*) exec sleep 60 ;; esac';
  await writeFile(dir.file("runsc"), `#!/bin/sh\n${body}\n`);
  await chmod(dir.file("runsc"), 0o755);
  const before = await trials();
  const check = await tryContainer({
    binary: dir.file("runsc"),
    platform: "systrap",
    timeoutMs: 100,
  });
  assert.equal(check.status, "error");
  assert.match(check.found, /no answer within 100 ms/);
  assert.deepEqual(await trials(), before);
});

async function trials(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith("runlet-trial-"));
}
