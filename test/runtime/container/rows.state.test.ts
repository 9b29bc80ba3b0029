import assert from "node:assert/strict";
import { test } from "node:test";
import type { Init } from "../../../runtime/container/init.ts";
import { type Plan, Rig } from "./rig.ts";

const subcontainer = { launch: "detached", subcontainer: true } as const;
const running: Plan = { wait: { until: "gone", exitStatus: 0 }, state: { state: "running" } };

test("row 01: a new Init is created and has no pid", async () => {
  await using rig = await Rig.fake();
  const init = rig.init("true", { launch: "detached" });
  assert.equal(await init.status(), "created");
  assert.equal(init.pid, undefined);
  assert.deepEqual(rig.calls(), []);
});

test("row 02: a start that succeeds leads to running", async () => {
  await using rig = await Rig.fake(running);
  await using init = await rig.detached();
  assert.equal(await init.status(), "running");
  rig.touch("gone");
});

test("row 03: a failed start leaves a container created and carries runsc's last message", async () => {
  await using rig = await Rig.fake({
    start: { error: "no such thing" },
    state: { state: "created" },
  });
  await using init = rig.init("true", { launch: "detached" });
  await init.create();
  await assert.rejects(init.start(), { code: "runtime_failed", message: /no such thing/ });
  assert.equal(await init.status(), "created");
});

test("row 04: a failed start of a subcontainer stops it and lets the waiters go", async () => {
  await using rig = await Rig.fake({ start: { error: "bad command" } });
  await using init = rig.init("true", subcontainer);
  await init.create();
  const waiting = init.wait();
  await assert.rejects(init.start(), /bad command/);
  const exit = await waiting;
  assert.deepEqual([exit.code, exit.reason], [128, "failed"]);
  assert.match(exit.message ?? "", /bad command/);
  assert.equal(init.stdout, undefined);
  assert.equal(await init.status(), "stopped");
  assert.ok(!rig.commands().includes("state"), "a start failure counts as stopped without asking");
});

test("row 05: a subcontainer with a terminal is refused before anything is made", async () => {
  await using rig = await Rig.fake();
  const stdio = { kind: "console", cols: 80, rows: 24 } as const;
  assert.throws(() => rig.init("true", { ...subcontainer, stdio }), { code: "invalid_argument" });
  assert.deepEqual(rig.calls(), []);
  assert.deepEqual(await rig.leftovers(), []);
});

const ends: [string, (init: Init, rig: Rig) => Promise<void>][] = [
  ["running", async () => {}],
  ["stopped", stop],
  [
    "deleted",
    async (init, rig) => {
      await stop(init, rig);
      await init.delete();
    },
  ],
];
for (const [state, bring] of ends) {
  test(`row 06: start of a ${state} container is refused and runs nothing`, async () => {
    await using rig = await Rig.fake(running);
    await using init = await rig.detached();
    await bring(init, rig);
    const before = rig.calls().length;
    await assert.rejects(init.start(), {
      message: new RegExp(`Cannot start .*: state is ${state}`),
    });
    assert.equal(rig.calls().length, before);
    rig.touch("gone");
  });
}

for (const [state, bring] of ends.slice(1)) {
  test(`row 21: exec in and stats of a ${state} container are refused`, async () => {
    await using rig = await Rig.fake(running);
    await using init = await rig.detached();
    await bring(init, rig);
    const before = rig.calls().length;
    const exec = { process: { args: ["true"] }, stdio: { kind: "null" } } as const;
    assert.throws(() => init.exec(exec), { message: new RegExp(`Cannot exec in .*${state}`) });
    await assert.rejects(init.stats(), { message: new RegExp(`Cannot stat .*${state}`) });
    assert.equal(rig.calls().length, before);
  });

  test(`row 22: the status of a ${state} container is stopped, and runsc is not asked`, async () => {
    await using rig = await Rig.fake(running);
    await using init = await rig.detached();
    await bring(init, rig);
    const before = rig.calls().length;
    assert.equal(await init.status(), "stopped");
    assert.equal(rig.calls().length, before);
  });
}

test("row 23: a container that runsc does not know any more is stopped from then on", async () => {
  const state = { error: "loading container: file does not exist" };
  await using rig = await Rig.fake({ ...running, state });
  await using init = await rig.detached();
  assert.equal(await init.status(), "stopped");
  await assert.rejects(init.start(), /state is stopped/);
  rig.touch("gone");
});

async function stop(init: Init, rig: Rig): Promise<void> {
  rig.touch("gone");
  await init.wait();
}
