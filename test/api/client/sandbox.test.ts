import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ApiError } from "../../../api/client/client.ts";
import { startTestServer } from "../../support/server.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const small = { memoryBytes: 128 * 1024 * 1024 };

test("a sandbox is used by its parts without its id, and deleted when its block ends", async () => {
  let id: string;
  {
    await using box = await client.sandboxes.open({ ...small, metadata: { of: "block" } });
    ({ id } = box);
    await box.files.write("a/b.txt", "content", { parents: true });
    assert.equal(await box.files.readText("a/b.txt"), "content");
    const ran = await box.commands.run({ command: "cat a/b.txt; exit 3" });
    assert.deepEqual([ran.exitCode, ran.stdout.text], [3, "content"]);
    const context = await box.contexts.open({ language: "python" });
    const { results } = await box.contexts.run(context.id, { code: "6 * 7" });
    assert.equal(results[0]?.data["text/plain"], "42");
    assert.equal((await box.update({ timeoutMs: 60_000 })).timeoutMs, 60_000);
    assert.equal((await box.pause()).state, "paused");
    assert.equal((await box.resume()).state, "running");
    assert.ok((await box.stats()).now.memoryBytes > 0);
  }
  const { state, endReason } = await client.sandboxes.of(id).get();
  assert.deepEqual([state, endReason], ["ended", "deleted"]);
});

test("a copy and what goes on from a snapshot are sandboxes as any other", async () => {
  await using box = await client.sandboxes.open(small);
  await box.files.write("kept", "1");
  const saved = await box.snapshot({ name: "one" });
  const [copy] = await box.fork();
  assert.ok(copy);
  await using _copy = copy;
  await using again = await client.sandboxes.open({ snapshot: saved.id });
  await copy.files.write("kept", "2");
  const kept = [box, copy, again].map(async ({ files }) => await files.readText("kept"));
  assert.deepEqual(await Promise.all(kept), ["1", "2", "1"]);
});

test("one that was deleted already can be disposed, and not be deleted again", async () => {
  await using box = await client.sandboxes.open(small);
  await box.delete();
  await assert.rejects(box.delete(), ApiError);
});
