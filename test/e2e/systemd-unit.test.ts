import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { execa } from "execa";
import { startChildServer } from "../support/child-server.ts";
import { problemOf } from "../support/problem.ts";
import { tempDir } from "../support/temp-dir.ts";

const unitFile = join(import.meta.dirname, "../../deploy/runlet.service");
const unit = await readFile(unitFile, "utf8");

test("systemd finds nothing wrong with the unit", async (context) => {
  await using dir = await tempDir();
  const copy = dir.file("runlet.service");
  // Node and Runlet need not be installed where the test runs.
  await writeFile(copy, unit.replace("/usr/bin/node", process.execPath));
  const found = await execa("systemd-analyze", ["verify", copy], {
    reject: false,
    timeout: 30_000,
  });
  if (found.code === "ENOENT") {
    context.skip("systemd is not installed");
    return;
  }
  assert.deepEqual([found.exitCode, found.stderr], [0, ""]);
});

test("the capabilities that the unit leaves are enough to run functions, and sandboxes with a network", async () => {
  const [, listed = ""] = /^CapabilityBoundingSet=(.+)$/m.exec(unit) ?? [];
  const names = listed.split(" ").map((name) => `+${name.replace("CAP_", "").toLowerCase()}`);
  assert.ok(names.length > 10);
  const bounds = ["-all", ...names].join(",");
  const through = ["setpriv", "--no-new-privs", "--bounding-set", bounds];
  await using server = await startChildServer({ through });
  const status = await readFile(`/proc/${server.pid}/status`, "utf8");
  assert.match(status, /^NoNewPrivs:\t1$/m);
  const { client } = server;
  const source = "export const handler = async () => process.getuid();";
  await client.deploy("who", { runtime: "node", code: { source } });
  const { body } = await client.invoke("who");
  assert.ok(Number(Buffer.from(body).toString()) > 0);
  const open = async () => await client.sandboxes.open({ network: { allow: ["203.0.113.1"] } });
  const isForwarding = (await readFile("/proc/sys/net/ipv4/ip_forward", "utf8")).trim() === "1";
  if (!isForwarding) {
    const { code, detail } = await problemOf(open());
    assert.equal(code, "unavailable");
    assert.match(detail, /forwards no packets/);
    return;
  }
  await using box = await open();
  const { exitCode } = await box.commands.run({ command: "true" });
  assert.equal(exitCode, 0);
});
