import assert from "node:assert/strict";
import { chmod, mkdir, readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { poll } from "../../../runtime/deadline.ts";
import { openDatabase } from "../../../store/database.ts";
import { startChildServer } from "../../support/child-server.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { runlet } from "./runlet.ts";

const source = "export const handler = async (n) => n + Number(process.env.ONE);";

test("a backup under load restores to a sound record with every answer before it, code and secrets", async () => {
  await using dir = await tempDir();
  const backup = dir.file("backup");
  const answered: string[] = [];
  /** Those whose answers had come before the backup began. */
  const before: string[] = [];
  {
    await using server = await startChildServer({ directory: dir.file("first") });
    const { client } = server;
    await client.setSecret("one", "1");
    const secrets = { ONE: "one" };
    const spec = { runtime: "node", isolation: "reuse", code: { source }, secrets } as const;
    await client.deploy("add", spec);
    const enough = new AbortController();
    const load = [1, 2, 3, 4].map(async (n) => {
      while (!enough.signal.aborted) {
        const { invocationId } = await client.invoke("add", { event: String(n) });
        answered.push(invocationId);
      }
    });
    try {
      const probe = (): true | undefined => (answered.length >= 20 ? true : undefined);
      await poll("see 20 answers", probe, { timeoutMs: 30_000 });
      before.push(...answered);
      const done = await runlet(["backup", backup, "--data-dir", server.dataDir, "--json"]);
      assert.equal(done.exitCode, 0, done.stderr);
      assert.deepEqual(JSON.parse(done.stdout), { path: backup, codeCount: 1 });
      assert.ok(answered.length > before.length, "nothing was answered meanwhile");
    } finally {
      enough.abort();
      await Promise.all(load);
    }
    const again = await runlet(["backup", backup, "--data-dir", server.dataDir]);
    assert.match(again.stderr, /Cannot write .*backup: it is there already/);
    const taken = await runlet(["restore", backup, "--data-dir", server.dataDir]);
    assert.match(taken.stderr, /Cannot lock .*: process \d+ serves it already/);
  }
  assert.equal((await stat(backup)).mode & 0o077, 0);
  const dataDir = dir.file("second", "d");
  const done = await runlet(["restore", backup, "--data-dir", dataDir]);
  assert.deepEqual([done.exitCode, done.stderr], [0, ""]);
  const over = await runlet(["restore", backup, "--data-dir", dataDir]);
  assert.match(over.stderr, /Cannot write .*runlet\.db: it is there already/);
  {
    using database = openDatabase(join(dataDir, "runlet.db"));
    assert.deepEqual(database.findDamage(), []);
  }
  assert.deepEqual(
    (await readdir(dataDir)).filter((name) => name.startsWith(".")),
    [],
  );
  await using server = await startChildServer({ directory: dir.file("second") });
  const { client } = server;
  for (const id of before) assert.equal((await client.invocation(id)).status, "succeeded");
  const { body } = await client.invoke("add", { event: "41" });
  assert.equal(Buffer.from(body).toString(), "42");
});

test("a backup that is damaged or none, and a directory without a record, are refused and nothing is left", async () => {
  await using dir = await tempDir();
  const dataDir = dir.file("data");
  const backup = dir.file("backup");
  const none = await runlet(["backup", backup, "--data-dir", dataDir]);
  assert.match(none.stderr, /Cannot read .*data: there is no record in it/);
  const keyless = dir.file("keyless");
  await mkdir(keyless);
  openDatabase(join(keyless, "runlet.db"))[Symbol.dispose]();
  const locked = await runlet(["backup", backup, "--data-dir", keyless]);
  assert.match(locked.stderr, /the key of its secrets is not at .*keyless\/secret\.key\./);
  await mkdir(backup);
  const empty = await runlet(["restore", backup, "--data-dir", dataDir]);
  assert.match(empty.stderr, /Cannot read .*backup: it is no backup/);
  openDatabase(join(backup, "runlet.db"))[Symbol.dispose]();
  await truncate(join(backup, "runlet.db"), 20_000);
  await writeFile(join(backup, "secret.key"), Buffer.alloc(32));
  await chmod(backup, 0o700);
  const damaged = await runlet(["restore", backup, "--data-dir", dataDir]);
  assert.equal(damaged.exitCode, 1);
  assert.match(damaged.stderr, /Cannot (?:restore|open the record) .*/);
  assert.deepEqual(
    (await readdir(dataDir)).filter((name) => !name.startsWith("lock.")),
    [],
  );
});
