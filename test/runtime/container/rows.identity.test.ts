import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import PQueue from "p-queue";
import { newContainerId, parseContainerId } from "../../../runtime/container/id.ts";
import { processesOf } from "../../../runtime/container/proc.ts";
import { Leftovers } from "../../../runtime/container/leftovers.ts";
import { Rig } from "./rig.ts";

test("row 37: an id that another could be a prefix of is refused", () => {
  const good = newContainerId();
  assert.equal(parseContainerId(good), good);
  assert.notEqual(newContainerId(), good);
  for (const bad of ["fn-1", "fn-10", good.slice(0, -1), `${good}0`, `${good}\n`, "../etc", ""]) {
    assert.throws(() => parseContainerId(bad), { code: "invalid_argument" }, bad);
  }
});

test("row 37: signals and deletes for one container never reach another", async () => {
  await using rig = await Rig.real();
  await using first = await rig.started("sleep 60");
  await using second = await rig.started("exit 4");
  assert.equal((await second.wait()).code, 4);
  await second.delete();
  await assert.rejects(rig.runsc.kill(second.id, 9));
  assert.equal(await first.status(), "running");
  await first.terminate("cancelled");
});

for (const kind of ["fake", "real"] as const) {
  test(`row 38: a second container of one id is refused and does not harm the first (${kind})`, async () => {
    await using rig = await (kind === "real" ? Rig.real() : Rig.fake({ run: { hang: true } }));
    const first = await rig.started("sleep 60", { deadlines: { exitMs: 500 } });
    await using second = rig.init("true", { id: first.id, launch: "detached" });
    await assert.rejects(second.create(), { code: "already_exists" });
    await second[Symbol.asyncDispose]();
    assert.equal(await first.status(), "running");
    assert.ok(existsSync(join(rig.bundles, first.id, "config.json")));
    if (kind === "fake") assert.ok(!rig.commands().includes("create"));
    await first[Symbol.asyncDispose]();
    assert.ok(!existsSync(join(rig.bundles, first.id)));
  });
}

test("row 46: fifty containers behind a limit of four are never more than four, however they end", async () => {
  await using rig = await Rig.fake({
    run: [{ status: 0 }, { error: "no" }, { hang: true }, { exit: 3 }, { status: 9 }],
  });
  const queue = new PQueue({ concurrency: 4 });
  let live = 0;
  let most = 0;
  const tasks = Array.from({ length: 50 }, (_, n) => async (): Promise<string> => {
    await using stack = new AsyncDisposableStack();
    most = Math.max(most, ++live);
    stack.defer(() => {
      live--;
    });
    const init = stack.use(rig.init("true", { deadlines: { exitMs: 200 } }));
    await init.create();
    if (n % 10 === 9) throw new Error("a failure between create and start");
    await init.start();
    if (n % 2 === 0) await init.terminate("timeout");
    return (await init.wait(AbortSignal.timeout(300))).reason;
  });
  const results = await Promise.allSettled(tasks.map(async (task) => await queue.add(task)));
  assert.equal(results.length, 50);
  assert.ok(results.some(({ status }) => status === "rejected"));
  assert.ok(results.some(({ status }) => status === "fulfilled"));
  assert.deepEqual([most, live], [4, 0]);
  assert.deepEqual(await rig.leftovers(), []);
});

test("row 47: what a killed process leaves behind is swept", async () => {
  await using rig = await Rig.real();
  const holder = join(import.meta.dirname, "../../fixtures/hold-container.ts");
  const child = spawn(process.execPath, [holder, rig.directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const id = line.toString().trim();
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.notEqual(processesOf(rig.runsc.root, id).length, 0);
  const options = {
    runsc: rig.runsc,
    bundles: rig.bundles,
    directory: join(rig.directory, "left"),
  };
  const leftovers = await Leftovers.putAside(options);
  assert.deepEqual(await rig.runsc.list(), []);
  assert.deepEqual(await leftovers.remove(), { containers: [id], problems: [] });
  assert.deepEqual(processesOf(rig.runsc.root), []);
  assert.ok(!existsSync(join(rig.bundles, id)));
  assert.deepEqual(await rig.runsc.list(), []);
  assert.deepEqual(await readdir(options.directory), []);
  const later = await Leftovers.putAside(options);
  assert.deepEqual(await later.remove(), { containers: [], problems: [] });
});
