import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { after, suite, test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { problemOf } from "../support/problem.ts";
import { startTestServer } from "../support/server.ts";

const mebibyte = 1024 * 1024;
const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const small = { memoryBytes: 128 * mebibyte, timeoutMs: 60_000 };

/** What is left of the disk that sandboxes write to. */
function freeBytes(): number {
  const { bavail, bsize } = statfsSync(server.config.dataDir);
  return bavail * bsize;
}

suite("what a sandbox writes", () => {
  test("is counted while it is there", async () => {
    await using box = await client.sandboxes.open(small);
    const diskBytes = async (): Promise<number> => (await box.stats()).now.diskBytes;
    const before = await diskBytes();
    await box.commands.run({ command: "head -c 20000000 /dev/zero > kept" });
    assert.ok((await diskBytes()) >= before + 20_000_000);
    await box.commands.run({ command: "rm kept" });
    const isGone = async (): Promise<true | undefined> =>
      (await diskBytes()) < before + mebibyte ? true : undefined;
    await poll("see its place given back", isGone, { timeoutMs: 10_000 });
  });

  test("past its bound ends it, gives the disk back, and harms no neighbour", async () => {
    await using neighbour = await client.sandboxes.open(small);
    await neighbour.files.write("mine", "kept");
    const before = freeBytes();
    await using box = await client.sandboxes.open({ ...small, diskBytes: 32 * mebibyte });
    const ran = await problemOf(box.commands.run({ command: "cat /dev/zero > fill; sleep 60" }));
    assert.equal(ran.code, "unavailable");
    const ended = async (): Promise<string | undefined> => (await box.get()).endReason;
    assert.equal(await poll("see it ended", ended, { timeoutMs: 10_000 }), "disk");
    assert.match((await problemOf(box.commands.run({ command: "true" }))).detail, /\(disk\)/);
    const isBack = async (): Promise<true | undefined> =>
      freeBytes() > before - 64 * mebibyte ? true : undefined;
    await poll("see the disk given back", isBack, { timeoutMs: 10_000 });
    assert.equal(await neighbour.files.readText("mine"), "kept");
  });

  test("to a full /tmp or /dev/shm is refused there, and the sandbox goes on", async () => {
    await using box = await client.sandboxes.open({ ...small, tmpBytes: 4 * mebibyte });
    for (const directory of ["/tmp", "/dev/shm"]) {
      const command = `head -c 9000000 /dev/zero > ${directory}/fill; rm ${directory}/fill; echo on`;
      const { stdout, stderr } = await box.commands.run({ command });
      assert.match(stderr.text, /No space left on device/);
      assert.equal(stdout.text, "on\n");
    }
  });

  test("is bounded in copies as in the original", async () => {
    await using box = await client.sandboxes.open({ ...small, diskBytes: 32 * mebibyte });
    const [copy] = await box.fork();
    assert.ok(copy !== undefined);
    await using _copy = copy;
    assert.equal((await copy.get()).diskBytes, 32 * mebibyte);
    await copy.commands.start({ command: "cat /dev/zero > fill" });
    const ended = async (): Promise<string | undefined> => (await copy.get()).endReason;
    assert.equal(await poll("see the copy ended", ended, { timeoutMs: 10_000 }), "disk");
    assert.equal((await box.get()).state, "running");
  });
});
