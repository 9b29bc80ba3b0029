import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exit } from "../../../runtime/container/exit.ts";
import { withProcess, withRootDirectory } from "../../../runtime/oci/spec-options.ts";
import { buildSpec } from "../../../runtime/oci/spec.ts";
import { collect, type Plan, Rig } from "./rig.ts";

const running: Plan = { wait: { until: "gone", exitStatus: 3 }, state: { state: "running" } };
const three: Exit = { code: 3, signal: undefined, reason: "exited", atMs: 1 };
const nine: Exit = { code: 9, signal: undefined, reason: "exited", atMs: 2 };

test("row 17: a delete after runsc said stopped waits for the exit, so that it is not lost", async () => {
  await using rig = await Rig.fake({ ...running, state: { state: "stopped" } });
  const init = await rig.detached();
  assert.equal(await init.status(), "stopped");
  const deleting = init.delete();
  await rig.called("kill");
  rig.touch("gone");
  await deleting;
  assert.equal((await init.wait()).code, 3);
});

test("row 17: an exit that never comes is recorded as lost", async () => {
  await using rig = await Rig.fake({ ...running, state: { state: "stopped" } });
  const init = await rig.detached({ deadlines: { exitMs: 100 } });
  assert.equal(await init.status(), "stopped");
  await init.delete();
  assert.equal((await init.wait()).reason, "lost");
});

test("row 18: of two exits the first stays, with its time", async () => {
  await using rig = await Rig.fake(running);
  await using init = await rig.detached();
  init.setExited(three);
  init.setExited(nine);
  assert.deepEqual(await init.wait(), three);
  rig.touch("gone");
});

test("row 19: an exit of a deleted container is ignored", async () => {
  await using rig = await Rig.fake();
  const init = rig.init("true", { launch: "detached" });
  await init.create();
  await init.delete();
  init.setExited(nine);
  assert.equal((await init.wait()).reason, "cancelled");
});

test("row 20: an exit that arrives while start is under way is applied once start has returned", async () => {
  await using rig = await Rig.fake({
    ...running,
    start: { until: "go" },
    state: { state: "created" },
  });
  await using init = rig.init("true", { launch: "detached" });
  await init.create();
  const starting = init.start();
  await rig.called("start");
  init.setExited(three);
  assert.equal(await init.status(), "created");
  rig.touch("go");
  await starting;
  assert.equal(await init.status(), "stopped");
  assert.deepEqual(await init.wait(), three);
  rig.touch("gone");
});

test("row 29: a function that prints 5 MB and exits with 6 loses neither", async () => {
  await using rig = await Rig.real();
  await using init = await rig.started("head -c 5000000 /dev/zero; exit 6");
  let bytes = 0;
  init.stdout?.attach((chunk) => {
    bytes += chunk.byteLength;
  });
  const exit = await init.wait();
  await init.drained();
  assert.deepEqual([exit.code, bytes, init.stdout?.isCut], [6, 5_000_000, false]);
});

test("row 30: functions that exit at once with 3 are all told as 3", async () => {
  await using rig = await Rig.real();
  for (let round = 0; round < 6; round++) {
    const codes = await Promise.all(
      [1, 2].map(async () => {
        await using init = await rig.started("exit 3");
        return (await init.wait()).code;
      }),
    );
    assert.deepEqual(codes, [3, 3]);
  }
  assert.deepEqual(await rig.leftovers(), []);
});

test("row 31: a function that exits with 128 is told as such", async () => {
  await using fake = await Rig.fake({ run: { status: 128 << 8 } });
  await using real = await Rig.real();
  for (const rig of [fake, real]) {
    await using init = await rig.started("exit 128");
    const { code, reason, message } = await init.wait();
    assert.deepEqual([code, reason, message], [128, "exited", undefined]);
  }
});

test("row 32: a runsc that fails with 128 is told by its own message", async () => {
  await using rig = await Rig.fake({ run: { error: "cannot find platform" } });
  await using init = await rig.started("true");
  const { code, reason, message } = await init.wait();
  assert.deepEqual([code, reason, message], [128, "failed", "cannot find platform"]);
});

test("row 32: a command that is not there is told by runsc's message", async () => {
  await using rig = await Rig.real();
  const spec = buildSpec(withRootDirectory("/"), withProcess({ args: ["/nope"] }));
  await using init = await rig.started("", { spec });
  const { code, reason, message } = await init.wait();
  assert.deepEqual([code, reason], [128, "failed"]);
  assert.match(message ?? "", /failed to load \/nope: no such file or directory$/);
});

test("row 33: a command that dies silently is not given the message of an earlier one", async () => {
  await using rig = await Rig.fake({ state: [{ error: "old message" }, { exit: 1 }] });
  await assert.rejects(rig.runsc.state("x"), /old message/);
  await assert.rejects(rig.runsc.state("x"), (error: Error) => !error.message.includes("old"));
  await using init = await rig.started("true");
  const { reason, message } = await init.wait();
  assert.equal(reason, "failed");
  assert.match(message ?? "", /gave no reason/);
});

test("row 36: a wait that fails is told as lost, never as a number of the function's", async () => {
  await using rig = await Rig.fake({ wait: { error: "sandbox no longer running" } });
  await using init = await rig.detached();
  const { code, reason, message } = await init.wait();
  assert.deepEqual([code, reason], [128, "lost"]);
  assert.match(message ?? "", /sandbox no longer running/);
  const kill = rig.calls().find(({ command }) => command === "kill");
  assert.deepEqual(kill?.args, ["--all", init.id, "9"]);
});

test("a runsc that is killed from outside counts as a SIGKILL, and what it left is removed", async () => {
  await using rig = await Rig.real();
  const init = await rig.started("sleep 60");
  const text = collect(init.stdout);
  assert.ok(init.pid !== undefined);
  process.kill(init.pid, "SIGKILL");
  const { code, signal, reason } = await init.wait();
  assert.deepEqual([code, signal, reason, text()], [137, "SIGKILL", "signaled", ""]);
  await init.delete();
  assert.deepEqual(await rig.leftovers(), []);
});
