import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Cgroups } from "../../../runtime/container/cgroup/cgroups.ts";
import type { ExitReason } from "../../../runtime/container/exit.ts";
import { newContainerId } from "../../../runtime/container/id.ts";
import type { Init } from "../../../runtime/container/init.ts";
import { poll } from "../../../runtime/deadline.ts";
import { FakeTree, RealTree } from "./cgroup/tree.ts";
import { collect, patience, Rig, type Step } from "./rig.ts";

interface Case {
  name: string;
  /** What the cgroup has counted when the container ends. */
  kills: number;
  run: Step;
  code: number;
  reason: ExitReason;
}

const cases: Case[] = [
  { name: "a kill", kills: 1, run: { status: 9 }, code: 137, reason: "oom" },
  {
    name: "a failure of runsc",
    kills: 2,
    run: { error: "sandbox no longer running" },
    code: 137,
    reason: "oom",
  },
  {
    name: "a kill, where none was for memory,",
    kills: 0,
    run: { status: 9 },
    code: 137,
    reason: "signaled",
  },
  { name: "an exit of its own", kills: 1, run: { status: 3 << 8 }, code: 3, reason: "exited" },
];

suite("row 44", () => {
  for (const { name, kills, run, code, reason } of cases) {
    test(`row 44: with ${kills} OOM kills counted, ${name} is told as ${reason}`, async () => {
      await using tree = await FakeTree.make();
      await using rig = await Rig.fake({ run: { ...run, until: "counted" } });
      await using init = await inside(rig, tree);
      tree.write(`oom 1\noom_kill ${kills}\n`, "own", init.id, "memory.events");
      rig.touch("counted");
      const exit = await init.wait(AbortSignal.timeout(patience.timeoutMs));
      assert.deepEqual([exit.code, exit.reason], [code, reason]);
      tree.empty("own", init.id);
      // The exit that is out stays as it is, whatever else ends the container.
      await init.terminate("timeout");
      assert.equal(await init.wait(), exit);
    });
  }

  test("row 44: an OOM kill that a timeout was quicker than is told as the timeout", async () => {
    await using tree = await FakeTree.make();
    await using rig = await Rig.fake({ run: { hang: true } });
    await using init = await inside(rig, tree);
    await rig.called("run");
    tree.write("oom_kill 0\n", "own", init.id, "memory.events");
    const ending = init.terminate("timeout");
    tree.write("oom_kill 1\n", "own", init.id, "memory.events");
    await ending;
    assert.equal((await init.wait()).reason, "timeout");
    tree.empty("own", init.id);
  });
});

test("row 45: the end of a further process in an OOM'd sandbox is no OOM of its own", async () => {
  await using tree = await RealTree.open();
  await using rig = await Rig.real();
  const id = newContainerId();
  const cgroup = tree.cgroups.of(id, { memoryBytes: 48 * 1024 * 1024 });
  await using init = await rig.started("echo up; read go; python3 -c 'x = b\"x\" * 2 ** 29'", {
    id,
    cgroup,
    stdio: { kind: "pipe", stdin: true, stdout: true, stderr: true },
  });
  await using exec = init.exec({
    process: { args: ["/bin/sh", "-c", "echo up; sleep 600"] },
    stdio: { kind: "pipe", stdout: true },
  });
  const first = collect(init.stdout);
  await poll("see the container up", () => first() || undefined, patience);
  await exec.start();
  const further = collect(exec.stdout);
  await poll("see the further process", () => further() || undefined, patience);
  init.stdin?.write("go\n");
  const signal = AbortSignal.timeout(patience.timeoutMs);
  assert.equal((await init.wait(signal)).reason, "oom");
  assert.notEqual((await exec.wait(signal)).reason, "oom");
});

/** A container of the fake in a fake cgroup, running. */
async function inside(rig: Rig, tree: FakeTree): Promise<Init> {
  const cgroups = await Cgroups.open({ name: "own", mountinfo: tree.mountinfo });
  const id = newContainerId();
  const options = { id, cgroup: cgroups.of(id), deadlines: { exitMs: 500 } };
  return await rig.started("true", options);
}
