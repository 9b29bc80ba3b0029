import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { poll } from "../../../runtime/deadline.ts";
import { roomyDescriptor } from "../../../runtime/runsc/process.ts";
import { collect, patience, type Plan, Rig } from "./rig.ts";

const running: Plan = { wait: { until: "gone", exitStatus: 0 }, state: { state: "running" } };

test("row 28: a create returns although the container holds its streams open", async () => {
  await using rig = await Rig.fake({
    ...running,
    create: { hold: { until: "gone", text: "written later" } },
  });
  await using init = rig.init("true", { launch: "detached" });
  await init.create();
  const text = collect(init.stdout);
  await init.start();
  assert.equal(text(), "");
  rig.touch("gone");
  await init.stdout?.ended;
  assert.equal(text(), "written later");
});

test("row 28: what a detached container writes after its create arrives (real)", async () => {
  await using rig = await Rig.real();
  await using init = rig.init("sleep 1; echo out; echo err >&2; exit 6", { launch: "detached" });
  await init.create();
  const [out, err] = [collect(init.stdout), collect(init.stderr)];
  await init.start();
  assert.equal((await init.wait()).code, 6);
  await init.drained();
  assert.deepEqual([out(), err()], ["out\n", "err\n"]);
});

test("row 49: a terminal has its size, takes a new one and input, and gives the exit", async () => {
  await using rig = await Rig.real();
  const stdio = { kind: "console", cols: 100, rows: 40 } as const;
  const script = "stty size; read line; stty size; echo got $line; exit 11";
  await using init = await rig.started(script, { stdio });
  const text = collect(init.stdout);
  await poll("see the size", () => text().includes("40 100") || undefined, patience);
  init.resize(120, 50);
  init.console?.write("hello\n");
  assert.equal((await init.wait()).code, 11);
  assert.match(text(), /50 120\r\ngot hello/);
  init.resize(80, 24);
  init.console?.write("nobody");
});

test("row 49: a further process has a terminal of its own, which cannot be sized after its end", async () => {
  await using rig = await Rig.real();
  await using init = await rig.started("sleep 60");
  await poll("see it up", async () => (await isUp(rig, init.id)) || undefined, patience);
  await using exec = init.exec({
    process: { args: ["/bin/sh", "-c", "stty size; read line; stty size; exit 12"] },
    stdio: { kind: "console", cols: 100, rows: 40 },
  });
  await exec.start();
  const text = collect(exec.stdout);
  await poll("see the size", () => text().includes("40 100") || undefined, patience);
  exec.resize(120, 50);
  exec.console?.write("\n");
  assert.equal((await exec.wait()).code, 12);
  assert.match(text(), /50 120/);
  assert.throws(() => exec.resize(80, 24), { code: "failed_precondition" });
});

test("row 50: one wanted stream is enough", async () => {
  await using rig = await Rig.real();
  const stdio = { kind: "pipe", stdout: true } as const;
  await using init = await rig.started("echo out; echo err >&2; cat; exit 2", { stdio });
  const text = collect(init.stdout);
  assert.equal((await init.wait()).code, 2);
  await init.drained();
  assert.deepEqual([text(), init.stderr, init.stdin], ["out\n", undefined, undefined]);
});

test("row 50: pipes that cannot be made are a clean error, and nothing is left", async () => {
  await using rig = await Rig.fake();
  await rm(join(rig.directory, "pipes"), { recursive: true });
  const init = rig.init("true", { launch: "detached" });
  await assert.rejects(init.create(), { code: "unavailable", message: /Cannot make a pipe/ });
  assert.deepEqual(rig.calls(), []);
  assert.deepEqual(await rig.leftovers(), []);
  assert.equal((await init.wait()).reason, "failed");
});

test("a guest opens its streams again by their names", async () => {
  await using rig = await Rig.real();
  const stdio = { kind: "pipe", stdin: true, stdout: true, stderr: true } as const;
  const script = "echo a > /dev/stderr; cat /dev/stdin > /dev/stdout; echo b > /proc/self/fd/2";
  await using init = await rig.started(script, { stdio });
  const [out, err] = [collect(init.stdout), collect(init.stderr)];
  init.stdin?.end("typed\n");
  assert.equal((await init.wait()).code, 0);
  await init.drained();
  assert.deepEqual([out(), err()], ["typed\n", "a\nb\n"]);
});

test("a guest that closes its stdin harms nobody", async () => {
  await using rig = await Rig.real();
  const stdio = { kind: "pipe", stdin: true } as const;
  await using init = await rig.started("exec 0<&-; sleep 0.2; exit 3", { stdio });
  init.stdin?.write(Buffer.alloc(1_000_000));
  assert.equal((await init.wait()).code, 3);
});

test("a channel is descriptor 3 inside, and goes both ways", async () => {
  await using rig = await Rig.real();
  await using init = await rig.started("read -r line <&3; echo got $line >&3; exit 0", {
    channel: true,
  });
  assert.ok(init.channel);
  init.channel.write("hello\n");
  const [chunk] = (await once(init.channel, "data")) as [Buffer];
  assert.equal(chunk.toString(), "got hello\n");
  assert.equal((await init.wait()).code, 0);
});

test("a channel and a console are refused where runsc has no means for them", async () => {
  await using rig = await Rig.fake();
  const stdio = { kind: "console", cols: 80, rows: 24 } as const;
  const conflicts = [
    { channel: true, launch: "detached" },
    { channel: true, stdio },
    { launch: "detached", stdio },
    { subcontainer: true },
  ] as const;
  for (const options of conflicts) {
    assert.throws(() => rig.init("true", options), { code: "invalid_argument" });
  }
});

async function isUp(rig: Rig, id: string): Promise<boolean> {
  return await rig.runsc.ps(id).then(
    (pids) => pids.length > 0,
    () => false,
  );
}

test("the descriptor that makes room for runsc reaches neither the sandbox nor the guest (real)", async () => {
  await using rig = await Rig.real();
  const stdio = { kind: "pipe", stdin: true, stdout: true, stderr: true } as const;
  await using init = await rig.started("for fd in /proc/self/fd/*; do echo $fd; done; cat", {
    stdio,
  });
  const seen = collect(init.stdout);
  await poll("see the guest's descriptors", () => seen().includes("/2\n") || undefined, patience);
  const open = seen().match(/\d+$/gm)?.map(Number) ?? [];
  assert.deepEqual(
    open.filter((fd) => fd > 3),
    [],
    "3 is the listing's own",
  );
  const pid = await init.sandboxPid();
  const held = readdirSync(`/proc/${pid}/fd`);
  assert.ok(held.includes("0") && !held.includes(String(roomyDescriptor)), held.join(" "));
  init.stdin?.end();
  assert.equal((await init.wait()).code, 0);
});
