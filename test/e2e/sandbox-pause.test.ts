import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import type { Sandbox } from "../../api/client/sandbox.ts";
import { poll } from "../../runtime/deadline.ts";
import { startTestServer } from "../support/server.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const spec = { memoryBytes: 256 * 1024 * 1024, pids: 1024, timeoutMs: 60_000 };

suite("a sandbox that is paused", { concurrency: true }, () => {
  for (const which of ["one", "another", "a third"]) {
    test(`while it starts processes goes on: ${which}`, async () => {
      await using box = await client.sandboxes.open(spec);
      // Each of them is one more that the host has to start, since all of them stay.
      await box.commands.start({ command: "for i in $(seq 200); do sleep 300 & done; wait" });
      for (let round = 0; round < 40; round++) {
        await box.pause();
        await box.resume();
      }
      const { stdout } = await box.commands.run({ command: "echo on" });
      assert.equal(stdout.text, "on\n");
    });
  }

  test("uses no processor time until it goes on", async () => {
    await using box = await client.sandboxes.open(spec);
    await box.commands.start({ command: "while :; do :; done" });
    await box.pause();
    const lastUs = await standsAt(box, 10_000);
    await box.resume();
    const goesOn = async (): Promise<true | undefined> =>
      (await cpuUs(box)) > lastUs + 50_000 ? true : undefined;
    await poll("see it go on", goesOn, { timeoutMs: 10_000 });
  });
});

suite("a sandbox that is asked for nothing", { concurrency: true }, () => {
  test("stands still until it is used, where nothing runs in it", async () => {
    await using box = await client.sandboxes.open(spec);
    await box.commands.run({ command: "true" });
    await standsAt(box, 30_000);
    assert.equal((await box.get()).state, "running");
    const { stdout } = await box.commands.run({ command: "echo on" });
    assert.equal(stdout.text, "on\n");
    await standsAt(box, 30_000);
    await box.pause();
    await box.resume();
    await box.files.write("a", "b");
    assert.equal(await box.files.readText("a"), "b");
  });

  test("goes on, where a command has left something behind", async () => {
    await using box = await client.sandboxes.open(spec);
    await box.commands.run({ command: "while sleep 0.1; do :; done >/dev/null 2>&1 &" });
    const startUs = (await box.stats()).now.atUs;
    // Until after it would have been stopped.
    const isLater = async (): Promise<number | undefined> => {
      const { atUs, cpuUs: usedUs } = (await box.stats()).now;
      return atUs - startUs > 12_000_000 ? usedUs : undefined;
    };
    const usedUs = await poll("see it left alone", isLater, { timeoutMs: 30_000, intervalMs: 500 });
    const goesOn = async (): Promise<true | undefined> =>
      (await cpuUs(box)) > usedUs + 10_000 ? true : undefined;
    await poll("see it go on", goesOn, { timeoutMs: 10_000 });
  });
});

/** Waits until it uses no processor time; answers how much that is by then. */
async function standsAt(box: Sandbox, timeoutMs: number): Promise<number> {
  let lastUs = await cpuUs(box);
  const stands = async (): Promise<number | undefined> => {
    const beforeUs = lastUs;
    lastUs = await cpuUs(box);
    return lastUs === beforeUs ? lastUs : undefined;
  };
  return await poll("see it stand still", stands, { timeoutMs, intervalMs: 100 });
}

async function cpuUs(box: Sandbox): Promise<number> {
  return (await box.stats()).now.cpuUs;
}
