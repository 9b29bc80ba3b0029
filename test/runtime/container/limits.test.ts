import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { suite, test } from "node:test";
import type { CgroupLimits } from "../../../runtime/container/cgroup/limits.ts";
import { processesIn } from "../../../runtime/container/cgroup/control-file.ts";
import type { Exit } from "../../../runtime/container/exit.ts";
import type { Init } from "../../../runtime/container/init.ts";
import { newContainerId } from "../../../runtime/container/id.ts";
import { parentOf, processesOf, signalProcess } from "../../../runtime/container/proc.ts";
import { poll } from "../../../runtime/deadline.ts";
import { withPids, withProcess, withRootDirectory } from "../../../runtime/oci/spec-options.ts";
import { buildSpec, type Spec } from "../../../runtime/oci/spec.ts";
import { RealTree } from "./cgroup/tree.ts";
import { collect, patience, Rig } from "./rig.ts";

const mebibyte = 1024 * 1024;
/** Programs of the host are the user's of whom the checkout is. */
const user = { uid: 0, gid: 0 };

/** Each takes ever more and prints how many MiB it has. */
const hogs: Record<string, readonly string[]> = {
  node: [
    process.execPath,
    "-e",
    "const all = []; for (;;) { all.push(Buffer.alloc(2 ** 23, 1)); console.log(all.length * 8); }",
  ],
  python: [
    "python3",
    "-c",
    "a = []\nwhile True:\n  a.append(b'x' * 2 ** 23)\n  print(len(a) * 8, flush=True)",
  ],
  bash: ["bash", "-c", "a=$(printf '%1048576s'); while a=$a$a; do echo $((${#a} >> 20)); done"],
};

suite("memory", () => {
  for (const [name, args] of Object.entries(hogs)) {
    test(`a ${name} program that takes ever more is ended within its limit, with reason oom`, async () => {
      await using bench = await Bench.open();
      const memoryBytes = 96 * mebibyte;
      await using neighbour = await bench.start(["sleep", "600"], { memoryBytes });
      await using init = await bench.start(args, { memoryBytes });
      const text = collect(init.stdout);
      const { code, signal, reason } = await bench.exit(init);
      assert.deepEqual([code, signal, reason], [137, "SIGKILL", "oom"]);
      await init.delete();
      const took = Number(text().trim().split("\n").at(-1));
      assert.ok(took >= 24 && took <= 96 + 48, `it had ${took} MiB`);
      assert.equal(await neighbour.status(), "running");
    });
  }

  test("what is in /tmp counts", async () => {
    await using bench = await Bench.open();
    const args = ["sh", "-c", "head -c 400000000 /dev/zero >/dev/shm/x; echo survived"];
    const mount = { destination: "/dev/shm", type: "tmpfs", source: "tmpfs" };
    const spec = specOf(args);
    const roomy = { ...spec, mounts: [...spec.mounts, mount] };
    await using init = await bench.start(roomy, { memoryBytes: 64 * mebibyte });
    const text = collect(init.stdout);
    assert.equal((await bench.exit(init)).reason, "oom");
    assert.equal(text(), "");
  });

  test("a limit that is set on a running container holds from then on", async () => {
    await using bench = await Bench.open();
    const script =
      "import sys\nprint('up', flush=True)\nsys.stdin.read(1)\na = b'x' * 200 * 2 ** 20\nprint('got it', flush=True)\nsys.stdin.read(1)";
    const stdio = { kind: "pipe", stdin: true, stdout: true } as const;
    await using init = bench.init(
      ["python3", "-c", script],
      { memoryBytes: 512 * mebibyte },
      { stdio },
    );
    await init.create();
    await init.start();
    const text = collect(init.stdout);
    await poll("see it up", () => text().includes("up") || undefined, patience);
    init.limit({ memoryBytes: 64 * mebibyte });
    init.stdin?.write("1");
    assert.equal((await bench.exit(init)).reason, "oom");
    assert.equal(text(), "up\n");
  });

  test("a container that hangs since a part of its sandbox was killed is ended, with reason oom", async () => {
    await using bench = await Bench.open();
    const spec = specOf(hogs["node"] ?? []);
    // The kernel takes the one that holds the most, which is not the sentry.
    const indifferent = { ...spec, process: { ...spec.process, oomScoreAdj: 0 } };
    await using init = await bench.start(indifferent, { memoryBytes: 64 * mebibyte });
    init.stdout?.attach(() => undefined);
    assert.equal((await bench.exit(init)).reason, "oom");
  });

  test("a timeout that came first stays the reason", async () => {
    await using bench = await Bench.open();
    await using init = await bench.start(hogs["python"] ?? [], { memoryBytes: 64 * mebibyte });
    await init.terminate("timeout");
    assert.equal((await bench.exit(init)).reason, "timeout");
  });
});

suite("processes", () => {
  const forks =
    "import os, time\nn = 0\ntry:\n  while n < 5000:\n    if os.fork() == 0: time.sleep(600)\n    n += 1\nexcept OSError as e: print(n, e.errno)";

  test("a program is refused a fork at its limit, and may go on", async () => {
    await using bench = await Bench.open();
    const spec = withPids(20)(specOf(["python3", "-c", forks], { uid: 1000, gid: 1000 }));
    await using init = await bench.start(spec, { pids: 20, memoryBytes: 512 * mebibyte });
    const text = collect(init.stdout);
    const { code, reason } = await bench.exit(init);
    await init.drained();
    assert.deepEqual([code, reason, text()], [0, "exited", "19 11\n"]);
  });

  test("a program that gets past that takes the host no more than the cgroup's bound", async () => {
    await using bench = await Bench.open();
    await using init = await bench.start(["python3", "-c", forks], { pids: 4 });
    const most = 4 * 4 + 128;
    let seen = 0;
    const over = bench.exit(init);
    const watching = setInterval(() => (seen = Math.max(seen, init.usage()?.pids ?? 0)), 5);
    const { reason, message } = await over.finally(() => clearInterval(watching));
    assert.deepEqual(
      [reason, message],
      ["failed", "the sandbox ended at the container's limit on processes"],
    );
    assert.ok(seen > 20 && seen <= most, `${seen} tasks`);
  });
});

suite("CPU time", () => {
  test("a busy loop gets no more than its share", async () => {
    await using bench = await Bench.open();
    await using init = await bench.start(["sh", "-c", "echo up; while :; do :; done"], {
      cpus: 0.25,
    });
    const text = collect(init.stdout);
    await poll("see it up", () => text() || undefined, patience);
    const cpuUs = (): number => init.usage()?.cpuUs ?? 0;
    const [startMs, startUs] = [performance.now(), cpuUs()];
    const elapsedMs = await poll(
      "see two seconds pass",
      () => {
        const ms = performance.now() - startMs;
        return ms > 2000 ? ms : undefined;
      },
      patience,
    );
    const share = (cpuUs() - startUs) / (elapsedMs * 1000);
    assert.ok(share > 0 && share < 0.33, `it had ${share} of a core`);
  });
});

suite("the cgroup", () => {
  test("holds every process of the sandbox, from the first on", async () => {
    await using bench = await Bench.open();
    await using init = await bench.start(["sh", "-c", "sleep 600 & echo up; wait"], {});
    const text = collect(init.stdout);
    await poll("see it up", () => text() || undefined, patience);
    const family = familyOf(init.pid ?? 0);
    // runsc, the gofer, the sentry, and what holds the memory of each process inside.
    assert.ok(family.length >= 6, `${family.length} processes`);
    for (const directory of bench.tree.directories(init.id)) {
      const inside = new Set(processesIn(directory));
      const outside = family.filter((pid) => !inside.has(pid) && parentOf(pid) !== undefined);
      assert.deepEqual(outside, [], directory);
    }
  });

  for (const [end, killed] of [
    ["deleted", undefined],
    ["deleted after a kill -9 of runsc", (init: Init) => init.pid],
    ["deleted after a kill -9 of its sandbox", async (init: Init) => await init.sandboxPid()],
  ] as const) {
    test(`is gone once the container is ${end}`, async () => {
      await using bench = await Bench.open();
      const init = await bench.start(["sh", "-c", "echo up; sleep 600"], {
        memoryBytes: mebibyte * 64,
      });
      const text = collect(init.stdout);
      await poll("see it up", () => text() || undefined, patience);
      for (const directory of bench.tree.directories(init.id)) assert.ok(existsSync(directory));
      const pid = await killed?.(init);
      if (pid === undefined) await init.terminate("cancelled");
      else assert.ok(signalProcess(pid, "SIGKILL"));
      await init.wait();
      await init.delete();
      for (const directory of bench.tree.directories(init.id)) assert.ok(!existsSync(directory));
      assert.deepEqual(await bench.rig.leftovers(), []);
    });
  }

  test("is there from create on, and goes with a container that never ran", async () => {
    await using bench = await Bench.open();
    const init = bench.init(["true"], { cpus: 1 });
    assert.ok(bench.tree.directories(init.id).every((directory) => !existsSync(directory)));
    await init.create();
    assert.ok(bench.tree.directories(init.id).every((directory) => existsSync(directory)));
    await init.delete();
    assert.ok(bench.tree.directories(init.id).every((directory) => !existsSync(directory)));
  });

  test("holds a detached container as well", async () => {
    await using bench = await Bench.open();
    const init = bench.init(
      ["sleep", "600"],
      { memoryBytes: 64 * mebibyte },
      { launch: "detached" },
    );
    await init.create();
    await init.start();
    const [directory = ""] = bench.tree.directories(init.id);
    const inside = processesIn(directory);
    assert.ok(inside.includes(init.pid ?? 0));
    const own = processesOf(bench.rig.runsc.root, init.id).filter(
      (pid) => parentOf(pid) !== process.pid,
    );
    assert.deepEqual(
      own.filter((pid) => !inside.includes(pid)),
      [],
    );
    await init.kill("SIGKILL");
    await init.wait();
    await init.delete();
    assert.ok(!existsSync(directory));
  });
});

/** A real runsc, and cgroups of one test. */
class Bench implements AsyncDisposable {
  readonly rig: Rig;
  readonly tree: RealTree;

  private constructor(rig: Rig, tree: RealTree) {
    this.rig = rig;
    this.tree = tree;
  }

  static async open(): Promise<Bench> {
    return new Bench(await Rig.real(), await RealTree.open());
  }

  init(
    what: Spec | readonly string[],
    limits: CgroupLimits,
    options: Parameters<Rig["init"]>[1] = {},
  ): Init {
    const id = newContainerId();
    const spec = "process" in what ? what : specOf(what);
    return this.rig.init("", { id, spec, cgroup: this.tree.cgroups.of(id, limits), ...options });
  }

  async start(what: Spec | readonly string[], limits: CgroupLimits): Promise<Init> {
    const init = this.init(what, limits);
    await init.create();
    await init.start();
    return init;
  }

  async exit(init: Init): Promise<Exit> {
    return await init.wait(AbortSignal.timeout(patience.timeoutMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tree[Symbol.asyncDispose]();
    await this.rig[Symbol.asyncDispose]();
  }
}

function specOf(args: readonly string[], asUser = user): Spec {
  return buildSpec(
    withRootDirectory("/"),
    withProcess({ args, user: asUser, env: ["PATH=/usr/bin:/bin"] }),
  );
}

/** A process with all that descend from it. */
function familyOf(pid: number): number[] {
  const family = [pid];
  const all = readdirSync("/proc")
    .map(Number)
    .filter((number) => number > 0);
  // Children have later numbers but where these have wrapped around, hence another round.
  for (let grown = 0; grown !== family.length;) {
    grown = family.length;
    for (const candidate of all) {
      if (!family.includes(candidate) && family.includes(parentOf(candidate) ?? 0))
        family.push(candidate);
    }
  }
  return family;
}
