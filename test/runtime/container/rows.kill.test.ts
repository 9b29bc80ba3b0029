import assert from "node:assert/strict";
import { test } from "node:test";
import { isProcessOf, parentOf } from "../../../runtime/container/proc.ts";
import { poll } from "../../../runtime/deadline.ts";
import { collect, patience, type Plan, Rig } from "./rig.ts";

const running: Plan = { wait: { until: "gone", exitStatus: 0 }, state: { state: "running" } };

for (const isDeleted of [false, true]) {
  const state = isDeleted ? "deleted" : "stopped";
  test(`rows 12, 13: of the signals to a ${state} container TERM and KILL are done, HUP finds nobody`, async () => {
    await using rig = await Rig.fake(running);
    await using init = await rig.detached();
    rig.touch("gone");
    await init.wait();
    if (isDeleted) await init.delete();
    const before = rig.calls().length;
    await init.kill("SIGTERM");
    await init.kill("SIGKILL");
    await assert.rejects(init.kill("SIGHUP"), { code: "not_found" });
    assert.equal(rig.calls().length, before);
  });
}

test("row 14: a signal that runsc refuses three times is sent a fourth time", async () => {
  const refused = { error: "in state created" };
  await using rig = await Rig.fake({ ...running, kill: [refused, refused, refused, {}] });
  await using init = await rig.detached();
  await init.kill("SIGHUP");
  assert.equal(rig.commands().filter((command) => command === "kill").length, 4);
  rig.touch("gone");
});

test("row 16: a signal to a container that runsc says is stopped finds no process", async () => {
  await using rig = await Rig.fake({ ...running, state: { state: "stopped" } });
  await using init = await rig.detached();
  await assert.rejects(init.kill("SIGKILL"), { code: "not_found", message: /no such process/ });
  assert.ok(!rig.commands().includes("kill"));
  rig.touch("gone");
});

test("row 27: a runsc that hangs on a kill gives up by the deadline, and the sandbox itself is killed", async () => {
  await using rig = await Rig.fake({ ...running, create: { sandbox: true }, kill: { hang: true } });
  const init = await rig.detached({ deadlines: { signalMs: 1_500 } });
  const { pid } = init;
  assert.ok(pid !== undefined && (await init.sandboxPid()) === pid);
  let isKilled = false;
  const killing = init.kill("SIGKILL").finally(() => {
    isKilled = true;
  });
  assert.equal(await init.status(), "running");
  assert.equal(isKilled, false, "a status does not queue behind the kill");
  await killing;
  await poll("see the sandbox die", () => !isProcessOf(pid, rig.runsc.root) || undefined, patience);
  rig.touch("gone");
  await init.wait();
  await init.delete();
});

test("row 27: another signal that hangs is reported by the deadline", async () => {
  await using rig = await Rig.fake({ ...running, kill: { hang: true } });
  await using init = await rig.detached({ deadlines: { signalMs: 200 } });
  await assert.rejects(init.kill("SIGHUP"), { code: "deadline_exceeded" });
  rig.touch("gone");
});

test("row 27: a caller gets away from a hanging verb by its signal", async () => {
  await using rig = await Rig.fake({ ...running, events: { hang: true } });
  await using init = await rig.detached({ deadlines: { statusMs: 400, exitMs: 1_000 } });
  const controller = new AbortController();
  const asking = init.stats(controller.signal);
  await rig.called("events");
  controller.abort(new Error("enough"));
  await assert.rejects(asking, /enough/);
  rig.touch("gone");
});

// Of a container that is quicker than runsc's question for its status runsc has only the shell's 128 + n.
const settle = "sleep 0.5; ";
const deaths = [
  { script: "kill -TERM $$", code: 143, signal: "SIGTERM", reason: "signaled" },
  { script: "kill -KILL $$", code: 137, signal: "SIGKILL", reason: "signaled" },
  { script: "exit 143", code: 143, signal: undefined, reason: "exited" },
  { script: "exit 137", code: 137, signal: undefined, reason: "exited" },
];
for (const { script, ...expected } of deaths) {
  test(`row 35: \`${script}\` is told as ${expected.reason} with ${expected.code}`, async () => {
    await using rig = await Rig.real();
    await using init = await rig.started(settle + script);
    const { code, signal, reason } = await init.wait();
    assert.deepEqual({ code, signal, reason }, expected);
  });
}

test("row 35: a running container takes SIGTERM by its handler and SIGKILL without one", async () => {
  await using rig = await Rig.real();
  await using init = await rig.started("trap 'exit 5' TERM; echo up; while :; do sleep 0.02; done");
  const text = collect(init.stdout);
  await poll("see it up", () => text() === "up\n" || undefined, patience);
  const sandbox = await init.sandboxPid();
  assert.ok(sandbox !== undefined && parentOf(sandbox) === init.pid);
  await init.kill("SIGTERM");
  assert.equal((await init.wait()).code, 5);
  await using second = await rig.started("echo up; sleep 60");
  const secondText = collect(second.stdout);
  await poll("see it up", () => secondText() === "up\n" || undefined, patience);
  await second.kill("SIGKILL");
  const { code, signal, reason } = await second.wait();
  assert.deepEqual([code, signal, reason], [137, "SIGKILL", "signaled"]);
});

for (const launch of ["attached", "detached"] as const) {
  test(`the first cause wins: a timeout that led to SIGKILL is a timeout (${launch})`, async () => {
    await using rig = await Rig.real();
    await using init = await rig.started("echo up; sleep 60", { launch });
    const text = collect(init.stdout);
    await poll("see it up", () => text() === "up\n" || undefined, patience);
    await Promise.all([init.terminate("timeout"), init.terminate("cancelled")]);
    const { code, signal, reason } = await init.wait();
    assert.deepEqual([code, signal, reason], [137, "SIGKILL", "timeout"]);
    await init.delete();
    assert.deepEqual(await rig.leftovers(), []);
  });
}

test("an end that came before its cause keeps its own status", async () => {
  await using rig = await Rig.fake({ run: { until: "gone", status: 7 << 8 } });
  await using init = await rig.started("true", { deadlines: { exitMs: 20_000 } });
  await rig.called("run");
  rig.touch("gone");
  await init.wait();
  await init.terminate("timeout");
  assert.deepEqual([init.exit?.code, init.exit?.reason], [7, "exited"]);
});

test("a start that hangs is broken off by terminate", async () => {
  await using rig = await Rig.fake({ ...running, start: { hang: true } });
  await using init = rig.init("true", { launch: "detached" });
  await init.create();
  const starting = init.start();
  await rig.called("start");
  await Promise.all([assert.rejects(starting, { code: "cancelled" }), init.terminate("timeout")]);
  assert.equal((await init.wait()).reason, "timeout");
});

for (const launch of ["attached", "detached"] as const) {
  test(`row 48: a paused container refuses kill and exec, and delete ends it (${launch})`, async () => {
    await using rig = await Rig.real();
    await using init = await rig.started("echo up; sleep 60", { launch });
    const text = collect(init.stdout);
    await poll("see it up", () => text() === "up\n" || undefined, patience);
    await init.pause();
    assert.equal(await init.status(), "paused");
    await assert.rejects(init.kill("SIGTERM"), { message: /Cannot signal .*: state is paused/ });
    const exec = { process: { args: ["/bin/true"] }, stdio: { kind: "null" } } as const;
    assert.throws(() => init.exec(exec), { message: /Cannot exec in .*: state is paused/ });
    await init.resume();
    assert.equal(await init.status(), "running");
    await init.pause();
    await init.delete();
    assert.equal((await init.wait()).code, 137);
    assert.deepEqual(await rig.leftovers(), []);
  });
}

test("row 48: a forced delete that fails counts as done once runsc knows the container no more", async () => {
  const gone = { error: "loading container: file does not exist" };
  await using rig = await Rig.fake({
    run: { exit: 2 },
    delete: { exit: 2, error: "panic" },
    state: gone,
  });
  const init = await rig.started("true");
  await init.wait();
  await init.delete();
  assert.deepEqual(rig.commands(), ["run", "delete", "state"]);
});
