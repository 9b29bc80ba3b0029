import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { startTestServer } from "../support/server.ts";
import { stocked } from "../support/stock.ts";

const server = await startTestServer({ overrides: { poolFloor: 2, poolMax: 8 } });
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;

/** What an invocation finds, which then leaves as much as it can. */
const sources = {
  node: `import { spawn } from "node:child_process";
import fs from "node:fs";
import { randomUUID } from "node:crypto";
const read = (path) => { try { return fs.readFileSync(path, "utf8"); } catch { return ""; } };
const list = (path) => { try { return fs.readdirSync(path); } catch { return []; } };
export const handler = () => {
  const found = {
    tmp: list("/tmp"), shared: list("/dev/shm"), left: globalThis.left ?? null,
    variable: process.env.LEFT ?? null, zone: process.env.TZ ?? null, names: read("/etc/resolv.conf") + read("/etc/hosts"),
    sleepers: list("/proc").filter((pid) => /sleep\\0/.test(read("/proc/" + pid + "/cmdline"))).length,
    random: [Math.random(), randomUUID(), read("/proc/sys/kernel/random/uuid")].join(),
  };
  globalThis.left = process.env.LEFT = "left";
  process.env.TZ = "Asia/Tokyo";
  for (const path of ["/tmp/left", "/dev/shm/left", "/etc/hosts", "/etc/resolv.conf", "/var/task/left"]) {
    try { fs.writeFileSync(path, "left"); } catch {}
  }
  spawn("sleep", ["600"], { detached: true, stdio: "ignore" }).unref();
  return found;
};`,
  python: `import os, random, subprocess, uuid
def read(path):
    try: return open(path).read()
    except OSError: return ""
def listed(path):
    try: return os.listdir(path)
    except OSError: return []
left = None
def handler(event, context):
    global left
    found = {"tmp": listed("/tmp"), "shared": listed("/dev/shm"), "left": left,
        "variable": os.environ.get("LEFT"), "zone": os.environ.get("TZ"), "names": read("/etc/resolv.conf") + read("/etc/hosts"),
        "sleepers": sum("sleep\\0" in read("/proc/%s/cmdline" % pid) for pid in listed("/proc")),
        "random": "%s %s" % (random.random(), uuid.uuid4())}
    left = os.environ["LEFT"] = "left"
    os.environ["TZ"] = "Asia/Tokyo"
    for path in ("/tmp/left", "/dev/shm/left", "/etc/hosts", "/etc/resolv.conf", "/var/task/left"):
        try: open(path, "w").write("left")
        except OSError: pass
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    return found`,
};

type Found = Record<string, unknown> & { random: string };

async function found(name: string): Promise<Found> {
  const { body } = await client.invoke(name);
  return JSON.parse(Buffer.from(body).toString()) as Found;
}

function withoutChance({ random: _random, ...rest }: Found): unknown {
  return rest;
}

suite("what an invocation leaves", () => {
  for (const runtime of ["node", "python"] as const) {
    const code = { source: sources[runtime] };

    test(`is not found by the next one of the same fresh ${runtime} function`, async () => {
      await client.deploy(`fresh-${runtime}`, { runtime, code });
      await stocked(server, 2);
      const all: Found[] = [];
      for (let round = 0; round < 3; round++) all.push(await found(`fresh-${runtime}`));
      const [first, ...others] = all;
      assert.ok(first);
      assert.deepEqual([first["left"], first["variable"], first["sleepers"]], [null, null, 0]);
      for (const other of others) assert.deepEqual(withoutChance(other), withoutChance(first));
      assert.equal(new Set(all.map(({ random }) => random)).size, all.length);
    });

    test(`is not found by another ${runtime} function or version that is kept, only by its own`, async () => {
      const spec = { runtime, code, isolation: "reuse" } as const;
      await client.deploy(`one-${runtime}`, spec);
      await client.deploy(`other-${runtime}`, spec);
      const first = await found(`one-${runtime}`);
      const again = await found(`one-${runtime}`);
      assert.deepEqual([again["left"], again["sleepers"]], ["left", 1]);
      assert.deepEqual(withoutChance(await found(`other-${runtime}`)), withoutChance(first));
      await client.deploy(`one-${runtime}`, { ...spec, env: { OF: "version 2" } });
      assert.deepEqual(withoutChance(await found(`one-${runtime}`)), withoutChance(first));
    });
  }
});
