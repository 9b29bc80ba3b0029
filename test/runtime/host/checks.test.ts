import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { suite, test } from "node:test";
import { checkDisk, judgeDisk } from "../../../runtime/host/disk.ts";
import { checkKernel, checkNode, checkRcu } from "../../../runtime/host/kernel.ts";
import { checkPlatform } from "../../../runtime/host/platform.ts";
import { checkPrivileges } from "../../../runtime/host/privileges.ts";
import { checkErofsTools, checkRunsc } from "../../../runtime/host/programs.ts";
import { tempDir } from "../../support/temp-dir.ts";

const gibibyte = 1024 ** 3;

suite("versions", () => {
  for (const [version, status] of [
    ["24.0.0", "ok"],
    ["26.1.0", "ok"],
    ["20.20.2", "error"],
  ] as const) {
    test(`Node ${version} is ${status}`, () => assert.equal(checkNode(version).status, status));
  }
  for (const [release, status] of [
    ["6.1.0-18-amd64", "ok"],
    ["5.4.0", "ok"],
    ["4.15.0", "ok"],
    ["4.9.0-19-amd64", "error"],
    ["3.18.1", "error"],
  ] as const) {
    test(`Linux ${release} is ${status}`, () => assert.equal(checkKernel(release).status, status));
  }
});

suite("programs", () => {
  for (const [output, status] of [
    ["runsc version 0.0~20240729.0\nspec: 1.2.0", "ok"],
    ["runsc version release-20251110.0\nspec: 1.2.0", "ok"],
    ["runsc version 0.0~20221219.0\nspec: 1.0.2-dev", "error"],
    ["something else", "error"],
  ] as const) {
    test(`a runsc that prints ${JSON.stringify(output)} is ${status}`, async () => {
      await using dir = await tempDir();
      const check = await checkRunsc(await script(dir.file("runsc"), `echo '${output}'`));
      assert.equal(check.status, status);
      assert.equal(check.advice !== undefined, status === "error");
    });
  }

  test("a missing runsc is an error with the command that installs it", async () => {
    await using dir = await tempDir();
    const check = await checkRunsc(dir.file("runsc"));
    assert.equal(check.status, "error");
    assert.match(check.found, /cannot be started/);
    assert.match(check.advice ?? "", /apt-get install runsc/);
  });

  test("a mkfs.erofs that tells its version and fails, as version 1.5 does, is ok", async () => {
    await using dir = await tempDir();
    const file = await script(dir.file("mkfs"), "echo 'mkfs.erofs 1.5'; echo usage >&2; exit 1");
    const check = await checkErofsTools(file);
    assert.deepEqual([check.status, check.found], ["ok", "mkfs.erofs 1.5"]);
  });

  test("missing EROFS tools are a warning, since image host works without", async () => {
    await using dir = await tempDir();
    const check = await checkErofsTools(dir.file("mkfs.erofs"));
    assert.equal(check.status, "warning");
    assert.match(check.advice ?? "", /apt-get install erofs-utils/);
  });

  test("an abort ends a look at a program that hangs, with the signal's reason", async () => {
    await using dir = await tempDir();
    const file = await script(dir.file("runsc"), "exec sleep 60");
    const reason = new Error("enough");
    const controller = new AbortController();
    const check = checkRunsc(file, controller.signal);
    controller.abort(reason);
    await assert.rejects(check, reason);
  });
});

suite("privileges", () => {
  const all = "000001ffffffffff";
  for (const { name, uid, capabilities, status, found } of [
    { name: "root with all", uid: 0, capabilities: all, status: "ok", found: /^root$/ },
    {
      name: "root of a plain Docker container",
      uid: 0,
      capabilities: "00000000a80425fb",
      status: "error",
      found: /^root without CAP_SYS_ADMIN$/,
    },
    { name: "a user", uid: 1000, capabilities: "0", status: "error", found: /^user id 1000$/ },
  ]) {
    test(`${name} is ${status}`, async () => {
      const text = `Name:\tnode\nUid:\t1000\t${uid}\t0\t0\nCapEff:\t${capabilities}\n`;
      const check = await checkPrivileges(text);
      assert.equal(check.status, status);
      assert.match(check.found, found);
    });
  }
});

suite("platform", () => {
  test("systrap needs nothing", async () => {
    assert.equal((await checkPlatform("systrap")).status, "ok");
  });
  test("ptrace is warned about", async () => {
    assert.equal((await checkPlatform("ptrace")).status, "warning");
  });
  test("kvm needs its device", async () => {
    await using dir = await tempDir();
    assert.equal((await checkPlatform("kvm", dir.file("kvm"))).status, "error");
    await writeFile(dir.file("kvm"), "");
    assert.equal((await checkPlatform("kvm", dir.file("kvm"))).status, "ok");
  });
});

suite("disk space", () => {
  for (const [freeBytes, status] of [
    [2 * gibibyte, "ok"],
    [2 * gibibyte - 1, "warning"],
    [gibibyte / 2, "warning"],
    [gibibyte / 2 - 1, "error"],
  ] as const) {
    test(`${freeBytes} bytes are ${status}`, () => {
      assert.equal(judgeDisk("/data", freeBytes).status, status);
    });
  }
  test("of a directory that is not there yet is that of the nearest one above", async () => {
    await using dir = await tempDir();
    const path = dir.file("not", "yet", "there");
    assert.doesNotMatch((await checkDisk(path)).found, /^0\.0 GiB/);
    assert.ok((await checkDisk(path)).found.endsWith(path));
  });
});

suite("rcu_expedited", () => {
  for (const [text, status] of [
    ["0\n", "warning"],
    ["1\n", "ok"],
    ["2\n", "ok"],
  ] as const) {
    test(`${JSON.stringify(text)} is ${status} and stays as it is`, async () => {
      await using dir = await tempDir();
      await writeFile(dir.file("rcu"), text, { mode: 0o400 });
      const check = await checkRcu(dir.file("rcu"));
      assert.equal(check.status, status);
      assert.equal(
        check.advice?.includes(dir.file("rcu")),
        status === "warning" ? true : undefined,
      );
    });
  }
  test("is no matter where the kernel does not have it", async () => {
    await using dir = await tempDir();
    assert.equal((await checkRcu(dir.file("rcu"))).status, "ok");
  });
});

async function script(file: string, body: string): Promise<string> {
  await writeFile(file, `#!/bin/sh\n${body}\n`);
  await chmod(file, 0o755);
  return file;
}
