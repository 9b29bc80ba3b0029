import assert from "node:assert/strict";
import { execa } from "execa";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { problemOf } from "../support/problem.ts";
import { tempDir } from "../support/temp-dir.ts";

const timeoutMs = 20_000;
const small = { memoryBytes: 128 * 1024 * 1024 };
const code = { source: "echo hi" };

/** What takes processes and descriptors. */
const starts: Readonly<Record<string, (client: Client) => Promise<unknown>>> = {
  "a program": async (client) => await client.execute({ runtime: "bash", code }),
  "a function": async (client) => await client.invoke("hello"),
  "a sandbox": async (client) => await client.removeSandbox((await client.createSandbox(small)).id),
};

async function refuseAll(client: Client, detail: RegExp): Promise<void> {
  for (const [what, start] of Object.entries(starts)) {
    const problem = await problemOf(start(client));
    assert.match(problem.code, /^(unavailable|runtime_failed)$/, `${what}: ${problem.detail}`);
    assert.match(problem.detail, detail, what);
  }
}

/** A cgroup of a test's own, into which a process can be put; disposing it removes it. */
function pidsCgroup(directory: string): AsyncDisposable & { readonly path: string } {
  const v1 = "/sys/fs/cgroup/pids";
  const path = join(existsSync(v1) ? v1 : "/sys/fs/cgroup", basename(directory));
  mkdirSync(path);
  const isGone = (): true | undefined => {
    try {
      rmdirSync(path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EBUSY") return undefined;
      throw error;
    }
  };
  return {
    path,
    [Symbol.asyncDispose]: async () => void (await poll("remove it", isGone, { timeoutMs })),
  };
}

test("without descriptors or processes left a server refuses what takes them, and loses none by it", async () => {
  await using dir = await tempDir();
  await using cgroup = pidsCgroup(dir.path);
  await using server = await startChildServer({ directory: dir.path });
  const { client, pid } = server;
  await client.deploy("hello", { runtime: "command", command: ["echo", "hi"] });
  for (const start of Object.values(starts)) await start(client);
  const descriptors = (): number => readdirSync(`/proc/${pid}/fd`).length;
  const limitDescriptors = async (to: number): Promise<void> =>
    void (await execa("prlimit", ["--pid", String(pid), `--nofile=${to}:`]));
  const before = descriptors();
  const [, most] =
    /^Max open files +\d+ +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8")) ?? [];

  await limitDescriptors(before);
  await refuseAll(client, /EMFILE|as many open as it may|open files|Cannot make a pipe/);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
  await limitDescriptors(Number(most));
  for (const start of Object.values(starts)) await start(client);

  writeFileSync(join(cgroup.path, "cgroup.procs"), String(pid));
  const running = readFileSync(join(cgroup.path, "pids.current"), "utf8").trim();
  writeFileSync(join(cgroup.path, "pids.max"), running);
  await refuseAll(client, /EAGAIN|as many as it may|temporarily unavailable/);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
  writeFileSync(join(cgroup.path, "pids.max"), "max");
  for (const start of Object.values(starts)) await start(client);

  const isBack = (): true | undefined => (descriptors() <= before + 2 ? true : undefined);
  await poll("see its descriptors closed", isBack, { timeoutMs });
  assert.deepEqual((await client.invocations({ status: "running" })).items, []);
});
