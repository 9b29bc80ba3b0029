import assert from "node:assert/strict";
import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import Sqlite from "better-sqlite3";
import type { Client } from "../../api/client/client.ts";
import type { SnapshotView } from "../../api/schema/snapshot.ts";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { problemOf } from "../support/problem.ts";
import { sandboxesOf } from "../support/sandboxes.ts";
import { tempDir } from "../support/temp-dir.ts";

const memoryBytes = 128 * 1024 * 1024;

test("snapshots outlive a server that is killed in the midst of one; what is half or gone is told", async () => {
  await using dir = await tempDir();
  let snapshotsDir = "";
  let dataDir = "";
  let kept: string[] = [];
  {
    await using server = await startChildServer({ directory: dir.path });
    const { client } = server;
    dataDir = server.dataDir;
    snapshotsDir = join(dataDir, "snapshots");
    const { id } = await client.createSandbox({ memoryBytes });
    await client.writeFile(id, "kept", "content");
    for (const name of ["whole", "old", "gone", "elsewhere"]) {
      kept.push((await client.createSnapshot(id, { name })).id);
    }
    const cut = client.createSnapshot(id).catch(() => undefined);
    const begun = async (): Promise<true | undefined> =>
      (await readdir(snapshotsDir)).length > kept.length || undefined;
    await poll("see another begun", begun, { timeoutMs: 10_000, intervalMs: 1 });
    server.kill("SIGKILL");
    await server.ended();
    await cut;
  }
  const [whole = "", old = "", gone = "", elsewhere = ""] = kept;
  await mkdir(join(snapshotsDir, "half"));
  await writeFile(join(snapshotsDir, "half", "pages.img"), "half");
  await rm(join(snapshotsDir, gone), { recursive: true });
  const database = new Sqlite(join(dataDir, "runlet.db"));
  database.prepare("UPDATE snapshots SET runsc_release = '1' WHERE id = ?").run(old);
  database.prepare("UPDATE snapshots SET image = 'elsewhere' WHERE id = ?").run(elsewhere);
  database.close();

  await using server = await startChildServer({ directory: dir.path });
  const { client } = server;
  kept = (await client.snapshots()).items.map((each) => each.id);
  const onDisk = (await readdir(snapshotsDir)).toSorted();
  assert.deepEqual(onDisk, kept.filter((each) => each !== gone).toSorted());
  assert.equal((await client.getSnapshot(gone)).state, "lost");
  await refused(client, gone, /files are gone/);
  await refused(client, old, /runsc 1 has saved it/);
  const image = await problemOf(client.removeImage("elsewhere"));
  assert.equal(image.code, "failed_precondition");
  assert.ok(image.detail.includes(elsewhere));
  const copy = await client.createSandbox({ snapshot: whole });
  assert.equal(await client.readText(copy.id, "kept"), "content");
  await client.removeSnapshot(gone);
});

async function refused(client: Client, snapshot: string, detail: RegExp): Promise<void> {
  const problem = await problemOf(client.createSandbox({ snapshot }));
  assert.equal(problem.code, "failed_precondition");
  assert.match(problem.detail, detail);
}

test("a snapshot is for the release of runsc that has saved it, and any other refuses it and starts nothing", async () => {
  await using dir = await tempDir();
  const other = dir.file("runsc");
  const says = "printf 'runsc version 0.0~20991231.0\\nspec: 1.1.0-rc.1\\n'";
  await writeFile(
    other,
    `#!/bin/sh\ncase " $* " in *" --version "*) ${says} ;; *) exec runsc "$@" ;; esac\n`,
  );
  await chmod(other, 0o755);
  let saved: SnapshotView;
  {
    await using server = await startChildServer({ directory: dir.path });
    const { id } = await server.client.createSandbox({ memoryBytes });
    await server.client.writeFile(id, "kept", "content");
    saved = await server.client.createSnapshot(id);
    const copy = await server.client.createSandbox({ snapshot: saved.id });
    assert.equal(await server.client.readText(copy.id, "kept"), "content");
  }
  await using server = await startChildServer({
    directory: dir.path,
    env: { RUNLET_RUNSC: other },
  });
  const { client, stateDir } = server;
  const shown = await client.getSnapshot(saved.id);
  assert.deepEqual(shown, saved);
  const { status, code, detail } = await problemOf(client.createSandbox({ snapshot: saved.id }));
  assert.deepEqual([status, code], [409, "failed_precondition"]);
  assert.match(
    detail,
    /has saved it, and this is 0\.0~20991231\.0\. Take the same one, or save anew/,
  );
  assert.ok(detail.includes(`runsc ${saved.runscRelease} has saved it`), detail);
  assert.deepEqual((await client.sandboxes.list({ state: "running" })).items, []);
  assert.deepEqual(sandboxesOf(stateDir), []);
  const { id } = await client.createSandbox({ memoryBytes });
  const [fork] = await client.forkSandbox(id);
  assert.ok(fork !== undefined);
  const own = await client.createSnapshot(fork.id);
  assert.equal(own.runscRelease, "0.0~20991231.0");
  assert.equal((await client.createSandbox({ snapshot: own.id })).state, "running");
});
