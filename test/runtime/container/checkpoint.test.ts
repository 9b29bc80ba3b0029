import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { InitOptions } from "../../../runtime/container/init-options.ts";
import { poll } from "../../../runtime/deadline.ts";
import { collect, patience, type Plan, Rig } from "./rig.ts";
import { Bench } from "./counter.ts";

const mebibyte = 1024 * 1024;

test("three forks of a container have its memory, files and processes, go apart, and it goes on", async () => {
  await using bench = await Bench.open();
  await using original = await bench.counter();
  assert.equal(await original.ask("bump"), "1 1 1 1");
  await original.init.checkpoint(bench.file("one"));
  assert.equal(statSync(bench.file("one")).mode & 0o777, 0o700);
  assert.equal(await original.ask("bump"), "2 2 2 2");
  await using stack = new AsyncDisposableStack();
  const forks = await Promise.all([1, 2, 3].map(async () => await bench.restored("one")));
  for (const fork of forks) stack.use(fork);
  assert.equal(new Set([original, ...forks].map(({ init }) => init.id)).size, 4);
  for (const [index, fork] of forks.entries()) {
    for (let n = 0; n <= index; n++) await fork.ask("bump");
  }
  const said = await Promise.all([...forks, original].map(async (one) => await one.ask("bump")));
  assert.deepEqual(said, ["3 3 3 3", "4 4 4 4", "5 5 5 5", "3 3 3 3"]);
});

test("a restored container ends with its own code, runs further processes, and can be saved again", async () => {
  await using bench = await Bench.open();
  {
    await using original = await bench.counter();
    await original.ask("bump");
    await original.init.checkpoint(bench.file("one"));
  }
  await using second = await bench.restored("one");
  const exec = second.init.exec({
    process: { args: ["cat", "/counter"] },
    stdio: { kind: "pipe", stdout: true },
  });
  await exec.start();
  const text = collect(exec.stdout);
  assert.equal((await exec.wait()).code, 0);
  await exec.delete();
  assert.equal(text(), "+");
  await second.ask("bump");
  await second.init.checkpoint(bench.file("two"));
  await using third = await bench.restored("two");
  assert.equal(await third.ask("bump"), "3 3 3 3");
  third.init.channel?.write("exit 7\n");
  const exit = await third.init.wait();
  assert.deepEqual([exit.code, exit.reason], [7, "exited"]);
  await second.init.kill("SIGKILL");
  assert.equal((await second.init.wait()).signal, "SIGKILL");
});

test("a paused container stays paused where it was saved, and what goes on from there runs", async () => {
  await using bench = await Bench.open();
  await using original = await bench.counter();
  await original.init.pause();
  await original.init.checkpoint(bench.file("one"));
  assert.equal(await original.init.status(), "paused");
  await using fork = await bench.restored("one");
  assert.equal(await fork.init.status(), "running");
  assert.equal(await fork.ask("bump"), "1 1 1 1");
  await original.init.resume();
  assert.equal(await original.ask("bump"), "1 1 1 1");
});

test("what a guest was sent and has not read is read by each that goes on", async () => {
  await using bench = await Bench.open();
  await using original = await bench.counter();
  await original.init.pause();
  original.init.channel?.write("bump\n");
  await original.init.checkpoint(bench.file("one"));
  await original.init.resume();
  await using fork = await bench.restored("one");
  assert.equal(await original.hear(), "1 1 1 1");
  assert.equal(await fork.hear(), "1 1 1 1");
});

test("nothing is left of containers that were saved and restored, in whatever state they are disposed", async () => {
  await using bench = await Bench.open();
  {
    await using original = await bench.counter();
    await original.init.checkpoint(bench.file("one"));
    await using _fresh = await bench.restoring("one");
    await using created = await bench.restoring("one");
    await created.create();
    await using _running = await bench.restored("one");
    await using paused = await bench.restored("one");
    await paused.init.pause();
    await using ended = await bench.restored("one");
    ended.init.channel?.write("exit 0\n");
    await ended.init.wait();
    await using coming = await bench.restoring("one");
    await coming.create();
    const starting = coming.start();
    starting.catch(() => undefined);
    await poll("see it begin", () => coming.pid, patience);
    await coming.terminate("timeout");
    await assert.rejects(starting, { code: "cancelled" });
    assert.equal((await coming.wait()).reason, "timeout");
  }
  const gone = (): true | undefined => bench.leftovers().length === 0 || undefined;
  await poll("see all gone", gone, patience).catch(() => undefined);
  assert.deepEqual(bench.leftovers(), []);
});

test("a restore that takes more memory than it may have is refused for that", async () => {
  await using bench = await Bench.open();
  {
    await using original = await bench.counter();
    await original.ask(`hold ${256 * mebibyte}`);
    await original.init.checkpoint(bench.file("one"));
  }
  const restoring = bench.restored("one", { memoryBytes: 128 * mebibyte });
  await assert.rejects(restoring, { code: "resource_exhausted", message: /more memory/ });
  await using fork = await bench.restored("one", { memoryBytes: 512 * mebibyte });
  assert.equal(await fork.ask("bump"), "1 1 1 1");
});

const damages: [string, (directory: string) => Promise<void>, string][] = [
  ["cut", async (path) => await truncate(join(path, "pages.img"), 4096), "failed_precondition"],
  [
    "garbled",
    async (path) => await writeFile(join(path, "checkpoint.img"), "no"),
    "failed_precondition",
  ],
  ["left without its record", async (path) => await rm(join(path, "spec.json")), "not_found"],
  [
    "of an image that is gone",
    async (path) => {
      const file = join(path, "spec.json");
      const spec = (await readFile(file, "utf8")).replace(/[^"]+\.erofs/, "/gone.erofs");
      await writeFile(file, spec);
    },
    "failed_precondition",
  ],
  ["removed", async (path) => await rm(path, { recursive: true }), "not_found"],
];
test("a checkpoint that is damaged is refused, and nothing runs", async () => {
  await using bench = await Bench.open();
  for (const [what, damage, code] of damages) {
    {
      await using original = await bench.counter();
      await original.init.checkpoint(bench.file("one"));
    }
    await damage(bench.file("one"));
    await assert.rejects(bench.restored("one"), { code, message: /Cannot restore/ }, what);
    await rm(bench.file("one"), { recursive: true, force: true });
  }
  assert.deepEqual(bench.leftovers(), []);
});

test("a container is not saved while something that exec started runs, nor over another checkpoint", async () => {
  await using bench = await Bench.open();
  await using original = await bench.counter();
  const exec = original.init.exec({
    process: { args: ["sleep", "60"] },
    stdio: { kind: "pipe", stdout: true },
  });
  await exec.start();
  const saving = original.init.checkpoint(bench.file("one"));
  await assert.rejects(saving, { code: "failed_precondition", message: /1 of its processes/ });
  assert.ok(!existsSync(bench.file("one")));
  await exec.terminate("cancelled");
  await original.init.checkpoint(bench.file("one"));
  const again = original.init.checkpoint(bench.file("one"));
  await assert.rejects(again, { code: "already_exists" });
  await using fork = await bench.restored("one");
  assert.equal(await fork.ask("bump"), "1 1 1 1");
});

const unsavable: [string, Partial<InitOptions>][] = [
  ["its channel is a socket", { channel: true }],
  ["may hold a socket", { hostUds: "open" }],
  ["is a terminal", { stdio: { kind: "console", cols: 80, rows: 24 } }],
];
for (const [reason, options] of unsavable) {
  test(`a container is not saved if it ${reason}, and runsc is not asked`, async () => {
    await using rig = await Rig.fake({ run: { hang: true } });
    await using init = await rig.started("true", options);
    const saving = init.checkpoint(join(rig.directory, "one"));
    await assert.rejects(saving, { code: "failed_precondition", message: new RegExp(reason) });
    assert.ok(!rig.commands().includes("checkpoint"));
    assert.ok(!existsSync(join(rig.directory, "one")));
  });
}

const failures: [string, Plan, object][] = [
  [
    "of a full disk",
    { checkpoint: { error: "checkpoint failed: statefile error: no space left on device" } },
    { code: "resource_exhausted", message: /disk of .* is full/ },
  ],
  ["of runsc", { checkpoint: { error: "bad weather" } }, { message: /bad weather/ }],
  ["to answer in time", { checkpoint: { hang: true } }, { message: /no answer within 300 ms/ }],
];
for (const [what, plan, error] of failures) {
  test(`of a checkpoint that failed for the failure ${what} nothing is left, and the container goes on`, async () => {
    await using rig = await Rig.fake({ run: { hang: true }, ...plan });
    await using init = await rig.started("true", { deadlines: { checkpointMs: 300 } });
    await assert.rejects(init.checkpoint(join(rig.directory, "one")), error);
    assert.ok(!(await readdir(rig.directory)).includes("one"));
    assert.equal(await init.status(), "running");
  });
}

test("nothing is started in a container while it is saved", async () => {
  const checkpoint = { touch: "saving", until: "saved" };
  await using rig = await Rig.fake({ run: { hang: true }, checkpoint });
  await using init = await rig.started("true");
  const exec = init.exec({ process: { args: ["true"] }, stdio: { kind: "null" } });
  const saving = init.checkpoint(join(rig.directory, "one"));
  await rig.called("checkpoint");
  await assert.rejects(exec.start(), { code: "failed_precondition", message: /being saved/ });
  rig.touch("saved");
  await saving;
});

const conflicts: [string, Partial<InitOptions>][] = [
  ["a detached launch", { launch: "detached" }],
  ["a terminal", { stdio: { kind: "console", cols: 80, rows: 24 } }],
  ["a channel over a socket", { channel: true }],
  ["the host's sockets", { hostUds: "open" }],
];
for (const [what, options] of conflicts) {
  test(`a restore with ${what} is refused before anything is made`, async () => {
    await using rig = await Rig.fake();
    const make = (): unknown => rig.init("true", { restoreFrom: "/nowhere", ...options });
    assert.throws(make, { code: "invalid_argument" });
  });
}
