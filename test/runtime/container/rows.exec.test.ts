import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ExecProcess } from "../../../runtime/container/exec-process.ts";
import type { Init } from "../../../runtime/container/init.ts";
import type { StdioRequest } from "../../../runtime/container/stdio/stdio.ts";
import { poll } from "../../../runtime/deadline.ts";
import { collect, patience, type Plan, Rig, type Step } from "./rig.ts";

const out: StdioRequest = { kind: "pipe", stdout: true };

test("rows 39, 43: processes in a running container are told apart, and leave no files", async () => {
  await using rig = await Rig.real();
  await using init = await up(rig);
  const table = [
    { script: "echo hi; exit 7", code: 7, signal: undefined, reason: "exited", text: "hi\n" },
    { script: "exit 128", code: 128, signal: undefined, reason: "exited", text: "" },
    { script: "exit 143", code: 143, signal: undefined, reason: "exited", text: "" },
    { script: "kill -TERM $$", code: 143, signal: "SIGTERM", reason: "signaled", text: "" },
  ];
  for (const { script, text, ...expected } of table) {
    await using exec = shell(init, script);
    await exec.start();
    const written = collect(exec.stdout);
    const { code, signal, reason } = await exec.wait();
    await exec.drained();
    assert.deepEqual({ code, signal, reason }, expected);
    assert.equal(written(), text);
    assert.deepEqual(await readdir(join(rig.bundles, init.id)), ["config.json"]);
  }
  await using missing = init.exec({ process: { args: ["/nope"] }, stdio: out });
  const message = /failed to load \/nope: no such file or directory$/;
  await assert.rejects(missing.start(), { code: "runtime_failed", message });
  const { code, reason } = await missing.wait();
  assert.deepEqual([code, reason], [128, "failed"]);
  assert.deepEqual(await readdir(join(rig.bundles, init.id)), ["config.json"]);
});

test("a further process takes signals of its own, and a timeout is told as its cause", async () => {
  await using rig = await Rig.real();
  await using init = await up(rig);
  await using first = shell(init, "sleep 60");
  await first.start();
  await first.kill("SIGTERM");
  assert.equal((await first.wait()).signal, "SIGTERM");
  await using second = shell(init, "sleep 60");
  await second.start();
  await second.terminate("timeout");
  assert.equal((await second.wait()).reason, "timeout");
  await using third = shell(init, "sleep 60");
  await third.start();
  assert.equal(await init.status(), "running");
  await init.terminate("oom");
  assert.equal((await third.wait()).reason, "oom");
});

test("row 40: a signal to a process that was never started is no error and runs nothing", async () => {
  await using rig = await Rig.fake({ run: { hang: true } });
  const init = await rig.started("true", { deadlines: { exitMs: 500 } });
  const exec = shell(init, "true");
  await rig.called("run");
  await exec.kill("SIGTERM");
  await exec.kill("SIGKILL");
  assert.deepEqual(rig.commands(), ["run"]);
  await init[Symbol.asyncDispose]();
});

test("row 41: a process that is over before its pid file is read still has its status", async () => {
  await using rig = await fakeUp({ status: 5 << 8 });
  await using init = await rig.started("true", quick);
  await using exec = shell(init, "true");
  await exec.start();
  assert.equal((await exec.wait()).code, 5);
});

test("row 42: a start that fails after the process began ends it and hangs nobody", async () => {
  const table: [Step, number, RegExp][] = [
    [{ internalPid: -4, hang: true }, 20_000, /pid file holds/],
    [{ hang: true }, 2_000, /not so within/],
  ];
  for (const [step, startMs, message] of table) {
    await using rig = await fakeUp(step);
    await using init = await rig.started("true", {
      deadlines: { ...quick.deadlines, startMs },
    });
    await using exec = shell(init, "true");
    const waiting = exec.wait();
    await assert.rejects(exec.start(), message);
    assert.equal((await waiting).reason, "failed");
    assert.deepEqual(await readdir(join(rig.bundles, init.id)), ["config.json"]);
    const pid = rig.calls().find(({ command }) => command === "exec")?.pid ?? 0;
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  }
});

test("row 42: an aborted start ends the process that it was for", async () => {
  await using rig = await fakeUp({ hang: true });
  await using init = await rig.started("true", quick);
  await using exec = shell(init, "true");
  const controller = new AbortController();
  const starting = exec.start(controller.signal);
  await rig.called("exec");
  controller.abort(new Error("enough"));
  await assert.rejects(starting, /enough/);
  assert.equal((await exec.wait()).code, 137);
});

test("the state of a further process decides what it takes, as a table", async () => {
  await using rig = await fakeUp({ internalPid: 4, until: "exec-gone", status: 0 });
  await using init = await rig.started("true", quick);
  const created = shell(init, "true");
  const running = shell(init, "true");
  await running.start();
  const stopped = shell(init, "true");
  await stopped.terminate("cancelled");
  const deleted = shell(init, "true");
  await deleted.delete();
  created.resize(80, 24);
  running.resize(80, 24);
  assert.throws(() => stopped.resize(80, 24), { message: /Cannot resize .*: state is stopped/ });
  assert.throws(() => deleted.resize(80, 24), { message: /Cannot resize .*: state is deleted/ });
  for (const exec of [running, stopped, deleted]) {
    await assert.rejects(exec.start(), { message: /Cannot start/ });
  }
  await assert.rejects(running.delete(), { message: /Cannot delete .*: state is running/ });
  for (const exec of [stopped, deleted]) {
    await exec.kill("SIGTERM");
    await assert.rejects(exec.kill("SIGHUP"), { code: "not_found" });
  }
  await assert.rejects(deleted.delete(), { code: "not_found" });
  await writeFile(join(rig.directory, "exec-gone"), "");
  await running.wait();
  assert.deepEqual(
    [created, running, stopped, deleted].map(({ state }) => state),
    ["created", "stopped", "stopped", "deleted"],
  );
});

const quick = { deadlines: { exitMs: 300 } };

async function fakeUp(exec: Step): Promise<Rig> {
  const plan: Plan = { run: { hang: true }, exec };
  return await Rig.fake(plan);
}

async function up(rig: Rig): Promise<Init> {
  const init = await rig.started("echo up; sleep 60");
  const text = collect(init.stdout);
  await poll("see it up", () => text() === "up\n" || undefined, patience);
  return init;
}

function shell(init: Init, script: string): ExecProcess {
  return init.exec({ process: { args: ["/bin/sh", "-c", script] }, stdio: out });
}
