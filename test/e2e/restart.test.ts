import assert from "node:assert/strict";
import { mkdir, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { execa } from "execa";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { poll } from "../../runtime/deadline.ts";
import { type ChildServer, startChildServer } from "../support/child-server.ts";
import { cgroupsOf, leftoversOf, nothingLeft, sandboxesOf } from "../support/sandboxes.ts";
import { tempDir } from "../support/temp-dir.ts";

/** RUNLET_TEST_LEFTOVERS=200 shows it at the size that a large server has; that takes a minute. */
const leftovers = Number(process.env["RUNLET_TEST_LEFTOVERS"] ?? 12);
const withStock = {
  RUNLET_POOL_FLOOR: String(leftovers),
  RUNLET_POOL_MAX: String(leftovers),
};
const hello: FunctionSpecInput = {
  runtime: "node",
  code: { source: "export const handler = () => 'hello';" },
};

test(`a server that was killed with ${leftovers} containers is back at once, and they are gone soon`, async (context) => {
  await using dir = await tempDir();
  let before: string[];
  {
    await using killed = await startChildServer({ directory: dir.path, env: withStock });
    await killed.client.deploy("hello", hello);
    before = await stockedIn(killed);
    await killed.client.createSandbox({});
    killed.kill("SIGKILL");
    await killed.ended();
  }
  assert.ok(before.length >= leftovers);
  assert.notDeepEqual(leftoversOf(join(dir.path, "s")), []);
  const startedAt = performance.now();
  const elapsedMs = (): number => Math.round(performance.now() - startedAt);
  await using server = await startChildServer({ directory: dir.path });
  context.diagnostic(`listens after ${elapsedMs()} ms`);
  assert.equal((await server.client.invoke("hello")).status, 200);
  context.diagnostic(`answers after ${elapsedMs()} ms`);
  const areGone = (): true | undefined =>
    before.every((id) => !existsIn(server, id)) ? true : undefined;
  await poll("see the containers of the killed one gone", areGone, { timeoutMs: 30_000 });
  context.diagnostic(`has nothing of the killed one after ${elapsedMs()} ms`);
  await nothingLeft(server.stateDir);
  assert.match(server.log(), /"containers":\d+,.*found containers of an earlier run/);
  assert.doesNotMatch(server.log(), /cannot remove/);
});

test("a leftover that cannot be removed is told, keeps nothing from running, and goes with a later start", async () => {
  await using dir = await tempDir();
  const bundles = join(dir.path, "s", "bundles");
  const [stuck, other] = [join(bundles, "rlt-stuck"), join(bundles, "rlt-other")];
  for (const each of [stuck, other]) await mkdir(each, { recursive: true });
  await execa("mount", ["-t", "tmpfs", "runlet-test", stuck]);
  let mounted = stuck;
  try {
    await using server = await startChildServer({ directory: dir.path });
    await server.client.deploy("true", { runtime: "command", command: ["true"] });
    assert.equal((await server.client.invoke("true")).status, 200);
    const told = (): true | undefined => /rlt-stuck.*cannot remove/.test(server.log()) || undefined;
    await poll("see it told", told, { timeoutMs: 20_000 });
    const left = leftoversOf(server.stateDir).filter((each) => each.startsWith("mount "));
    assert.equal(left.length, 1);
    mounted = left[0]?.split(" ")[5] ?? "";
    assert.equal(basename(mounted), "rlt-stuck");
    assert.deepEqual(await readdir(join(mounted, "..")), ["rlt-stuck"]);
  } finally {
    await execa("umount", [mounted]);
  }
  await using later = await startChildServer({ directory: dir.path });
  await nothingLeft(later.stateDir);
});

/** Waits for the stock to be full, and answers the ids of its containers. */
async function stockedIn(server: ChildServer): Promise<string[]> {
  const probe = async (): Promise<string[] | undefined> => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    const ready = /^runlet_pool_ready\{class=".*"\} (\d+)$/m.exec(metrics)?.[1];
    return Number(ready) >= leftovers ? sandboxesOf(server.stateDir) : undefined;
  };
  return await poll("see the stock full", probe, { timeoutMs: 240_000, intervalMs: 100 });
}

function existsIn({ stateDir }: ChildServer, id: string): boolean {
  return (
    sandboxesOf(stateDir).includes(id) ||
    leftoversOf(stateDir).some((each) => each.includes(id)) ||
    cgroupsOf(id).length > 0
  );
}
