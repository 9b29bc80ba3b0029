import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { newContainerId } from "../../../runtime/container/id.ts";
import { Bundle } from "../../../runtime/oci/bundle.ts";
import { withProcess, withRootDirectory } from "../../../runtime/oci/spec-options.ts";
import { buildSpec } from "../../../runtime/oci/spec.ts";
import { isUnknownContainer, RunscError } from "../../../runtime/runsc/error.ts";
import { Runsc } from "../../../runtime/runsc/runsc.ts";
import { isSupportedRunsc } from "../../../runtime/runsc/version.ts";
import { Rig } from "../container/rig.ts";

test("an error carries runsc's last log message, the command and the status", async () => {
  await using rig = await Rig.fake({ start: { error: "cannot start container" } });
  await assert.rejects(rig.runsc.start("x"), (error) => {
    assert.ok(error instanceof RunscError);
    assert.equal(error.message, "runsc start failed: cannot start container");
    assert.deepEqual([error.code, error.command, error.exitCode], ["runtime_failed", "start", 128]);
    return true;
  });
});

test("a call that hangs is killed at its deadline", async () => {
  await using rig = await Rig.fake({ state: { hang: true } });
  await assert.rejects(rig.runsc.state("x", { timeoutMs: 300 }), /no answer within 300 ms/);
  const pid = rig.calls()[0]?.pid;
  if (pid !== undefined) assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test("a call is killed when its signal aborts, and throws the signal's reason", async () => {
  await using rig = await Rig.fake({ state: { hang: true } });
  const controller = new AbortController();
  const asking = rig.runsc.state("x", { signal: controller.signal });
  await rig.called("state");
  controller.abort(new Error("enough"));
  await assert.rejects(asking, /enough/);
  const pid = rig.calls()[0]?.pid ?? 0;
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test("an answer that is not of the known form is an error", async () => {
  for (const stdout of ["", "nonsense", '{"id":"x"}']) {
    await using rig = await Rig.fake({ state: { stdout } });
    await assert.rejects(rig.runsc.state("x"), /unexpected answer/);
  }
});

test("answers are read: wait, list, ps, stats", async () => {
  const stats = {
    type: "stats",
    data: {
      cpu: { usage: { total: 7 } },
      memory: { usage: { usage: 8 } },
      pids: { current: 9 },
    },
  };
  await using rig = await Rig.fake({
    wait: { exitStatus: 137 },
    list: { stdout: "null" },
    ps: { stdout: "[1,10]" },
    events: { stdout: JSON.stringify(stats) },
  });
  assert.equal(await rig.runsc.wait("x"), 137);
  assert.deepEqual(await rig.runsc.list(), []);
  assert.deepEqual(await rig.runsc.ps("x"), [1, 10]);
  assert.deepEqual(await rig.runsc.stats("x"), { cpuNs: 7, memoryBytes: 8, pids: 9 });
});

test("no log is left of a call, whether it succeeded or failed", async () => {
  await using rig = await Rig.fake({ start: [{}, { error: "no" }] });
  await rig.runsc.start("x");
  await assert.rejects(rig.runsc.start("x"));
  assert.deepEqual(await readdir(join(rig.directory, "logs")), []);
});

test("a binary that is not there is said so, by a call and by a run", async () => {
  await using rig = await Rig.fake();
  const runsc = new Runsc({ binary: "/nowhere/runsc", root: rig.directory });
  const expected = { code: "unavailable", message: /Cannot start \/nowhere\/runsc/ };
  await assert.rejects(runsc.version(), expected);
  await assert.rejects(runsc.run("x", { bundle: "/" }, ["ignore", "ignore", "ignore"]), expected);
});

test("the runsc of this machine is new enough, and knows its unknown containers", async () => {
  await using rig = await Rig.real();
  assert.ok(isSupportedRunsc(await rig.runsc.version()));
  await assert.rejects(rig.runsc.state(newContainerId()), isUnknownContainer);
  await rig.runsc.delete(newContainerId(), { force: true });
});

// Of a container that is quicker than runsc's question for its status runsc has only the shell's 128 + n.
const settle = "sleep 0.5; ";
const ends = [
  { script: "exit 143", waitStatus: 143 << 8 },
  { script: "kill -TERM $$", waitStatus: 15 },
];
for (const { script, waitStatus } of ends) {
  test(`the trace of an attached run tells \`${script}\` from its like, and names the sandbox`, async () => {
    await using rig = await Rig.real();
    const id = newContainerId();
    const args = ["/bin/sh", "-c", settle + script];
    const spec = buildSpec(withRootDirectory("/"), withProcess({ args }));
    using bundle = Bundle.create(rig.bundles, id, spec);
    const stdio = ["ignore", "ignore", "ignore"] as const;
    const run = await rig.runsc.run(id, { bundle: bundle.path }, stdio);
    assert.deepEqual(await run.exited, { code: 143, signal: undefined });
    const trace = run.trace();
    assert.equal(trace.waitStatus, waitStatus);
    assert.ok(trace.sandboxPid !== undefined && trace.sandboxPid !== run.pid);
    assert.equal(run.lastError(), undefined);
    run.forget();
    assert.deepEqual(await readdir(join(rig.directory, "logs")), []);
    assert.ok(!existsSync(`/proc/${trace.sandboxPid}`));
  });
}
