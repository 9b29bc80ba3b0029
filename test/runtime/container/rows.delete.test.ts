import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Init } from "../../../runtime/container/init.ts";
import { collect, type Plan, Rig } from "./rig.ts";

const running: Plan = { wait: { until: "gone", exitStatus: 0 }, state: { state: "running" } };

test("row 07: delete of a running container is refused and runs nothing", async () => {
  await using rig = await Rig.fake(running);
  await using init = await rig.detached();
  await rig.called("wait");
  const before = rig.calls().length;
  await assert.rejects(init.delete(), { code: "failed_precondition", message: /state is running/ });
  assert.equal(rig.calls().length, before);
  rig.touch("gone");
});

test("row 08: delete of a created container removes it and lets the waiters go", async () => {
  await using rig = await Rig.fake();
  const init = rig.init("true", { launch: "detached" });
  await init.create();
  await init.delete();
  await assert.rejects(init.delete(), { code: "not_found" });
  assert.equal((await init.wait()).reason, "cancelled");
  assert.deepEqual(await rig.leftovers(), []);
});

test("row 09: after a failed delete the container stays stopped, and a second delete may succeed", async () => {
  await using rig = await Rig.fake({ ...running, delete: [{ error: "busy" }, {}] });
  const init = await stopped(rig);
  await assert.rejects(init.delete(), { message: /busy/ });
  await assert.rejects(init.start(), /state is stopped/);
  await init.delete();
  await assert.rejects(init.start(), /state is deleted/);
});

test("row 10: a container that runsc has forgotten counts as deleted", async () => {
  const gone = { error: "loading container: file does not exist" };
  await using rig = await Rig.fake({ ...running, delete: gone });
  const init = await stopped(rig);
  await init.delete();
  await assert.rejects(init.start(), /state is deleted/);
});

test("row 11: a second delete finds nothing", async () => {
  await using rig = await Rig.fake(running);
  const init = await stopped(rig);
  await init.delete();
  const before = rig.calls().length;
  await assert.rejects(init.delete(), { code: "not_found" });
  assert.equal(rig.calls().length, before);
});

test("row 24: delete kills what is left, reads the output to its end, and only then has it removed", async () => {
  await using rig = await Rig.fake({
    ...running,
    create: { hold: { until: "killed", text: "last words" } },
    kill: { touch: "killed" },
  });
  const init = rig.init("true", { launch: "detached" });
  await init.create();
  const text = collect(init.stdout);
  await init.start();
  rig.touch("gone");
  await init.wait();
  await init.delete();
  assert.deepEqual(rig.commands().slice(-2), ["kill", "delete"]);
  assert.deepEqual(rig.calls().at(-2)?.args, ["--all", init.id, "9"]);
  assert.deepEqual(rig.calls().at(-1)?.args, [init.id]);
  assert.equal(text(), "last words");
  assert.equal(init.stdout?.isCut, false);
  assert.ok(!existsSync(join(rig.bundles, init.id)));
});

test("row 25: delete goes on where the kill before it is refused, and says so in the log", async () => {
  await using rig = await Rig.fake({ ...running, kill: { error: "sandbox is not running" } });
  const init = await stopped(rig);
  await init.delete();
  assert.equal(rig.commands().at(-1), "delete");
  assert.match(rig.warnings.join(), /sandbox is not running/);
});

test("row 26: output that is held open is cut at the deadline, and is marked as cut", async () => {
  await using rig = await Rig.fake({ run: { hold: {}, stdout: "early", status: 0 } });
  await using init = rig.init("true", { deadlines: { drainMs: 150 } });
  await init.create();
  await init.start();
  const text = collect(init.stdout);
  assert.equal((await init.wait()).code, 0);
  await init.delete();
  assert.equal(text(), "early");
  assert.equal(init.stdout?.isCut, true);
});

test("a container is gone in whatever state it is disposed, and disposing twice is harmless", async () => {
  await using rig = await Rig.real();
  const fresh = rig.init("sleep 60");
  const created = rig.init("sleep 60");
  await created.create();
  const started = await rig.started("sleep 60");
  for (const init of [fresh, created, started]) {
    await init[Symbol.asyncDispose]();
    await init[Symbol.asyncDispose]();
    assert.equal((await init.wait()).reason, "cancelled");
  }
  assert.deepEqual(await rig.leftovers(), []);
});

async function stopped(rig: Rig): Promise<Init> {
  const init = await rig.detached();
  rig.touch("gone");
  await init.wait();
  return init;
}
