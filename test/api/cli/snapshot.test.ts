import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { SandboxView } from "../../../api/schema/sandbox.ts";
import type { SnapshotView } from "../../../api/schema/snapshot.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";
import { type Ended, runlet } from "./runlet.ts";

const uuid = "[0-9a-f-]{36}";
let server: TestServer;
let sandbox = "";
before(async () => {
  server = await startTestServer();
  sandbox = (await server.client.createSandbox({ memoryBytes: 128 * 1024 * 1024 })).id;
});
after(async () => await server[Symbol.asyncDispose]());

async function run(...args: readonly string[]): Promise<Ended> {
  return await runlet([...args, "--url", server.url]);
}

test("a sandbox is saved, and the snapshot is listed, shown and deleted", async () => {
  assert.equal((await run("snapshot")).stderr, "No such snapshots.\n");
  const saved = await run("sandbox", "snapshot", sandbox, "--name", "one", "-m", "of=a=b");
  assert.match(saved.stdout, new RegExp(`^${uuid}\n$`));
  const id = saved.stdout.trim();
  const listed = await run("snapshot", "ls", "--sandbox", sandbox, "--name", "one");
  assert.match(listed.stdout, /^ID +NAME +STATE +IMAGE +SIZE +CREATED\n/);
  assert.match(listed.stdout, new RegExp(`\n${id} +one +ready +default +`));
  const shown = JSON.parse((await run("snapshot", "show", id)).stdout) as SnapshotView;
  assert.deepEqual([shown.sandboxId, shown.metadata], [sandbox, { of: "a=b" }]);
  assert.equal((await run("snapshot", "rm", id)).stdout, `Deleted ${id}\n`);
  const gone = await run("snapshot", "show", id);
  assert.equal(gone.exitCode, 1);
  assert.match(gone.stderr, /\(not_found\)/);
});

test("a sandbox is forked, and the copies are told one a line or as JSON", async () => {
  const two = await run("sandbox", "fork", sandbox, "-n", "2");
  assert.match(two.stdout, new RegExp(`^${uuid}\n${uuid}\n$`));
  const args = ["fork", sandbox, "--metadata", "a=b", "--timeout-ms", "60000", "--json"];
  const { items } = JSON.parse((await run("sandbox", ...args)).stdout) as { items: SandboxView[] };
  assert.deepEqual(
    items.map(({ metadata, timeoutMs, start }) => [metadata, timeoutMs, start]),
    [[{ a: "b" }, 60_000, "restored"]],
  );
  const wrong = await run("sandbox", "fork", sandbox, "--metadata", "nothing");
  assert.equal(wrong.exitCode, 2);
});
