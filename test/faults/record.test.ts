import assert from "node:assert/strict";
import Sqlite from "better-sqlite3";
import { execa } from "execa";
import { mkdirSync, openSync, readFileSync, closeSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import { poll } from "../../runtime/deadline.ts";
import { openDatabase } from "../../store/database.ts";
import { startChildServer } from "../support/child-server.ts";
import { eventIn } from "../support/events.ts";
import { problemOf } from "../support/problem.ts";
import { testEnvironment } from "../support/server.ts";
import { tempDir } from "../support/temp-dir.ts";

const timeoutMs = 20_000;
const source = `export const handler = async ({ ms }) => {
  await new Promise((done) => setTimeout(done, ms));
  return ms;
};`;
const nap = (ms: number): { event: string } => ({ event: JSON.stringify({ ms }) });
const program = join(import.meta.dirname, "../../api/server.ts");

test("while another process holds the record, what writes waits or is refused, and nothing else waits", async () => {
  await using dir = await tempDir();
  await using server = await startChildServer({ directory: dir.path });
  const { client, url, dataDir } = server;
  await client.deploy("nap", { runtime: "node", isolation: "reuse", code: { source } });
  await client.invoke("nap", nap(0));
  using stack = new DisposableStack();
  const other = stack.adopt(new Sqlite(join(dataDir, "runlet.db")), (it) => it.close());

  const { eventId } = await client.invokeAsync("nap", nap(300));
  await poll(
    "see it run",
    async () => (await client.event(eventId)).state === "running" || undefined,
    {
      timeoutMs,
    },
  );
  other.exec("BEGIN IMMEDIATE");
  const refusal = problemOf(client.invoke("nap", nap(0)));
  let slowestMs = 0;
  const refused = refusal.then(() => true);
  while (!(await Promise.race([refused, tick(false)]))) {
    const sinceMs = performance.now();
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    assert.ok((await client.functions()).items.length === 1);
    slowestMs = Math.max(slowestMs, performance.now() - sinceMs);
  }
  const { code, detail } = await refusal;
  assert.equal(code, "unavailable");
  assert.match(detail, /another process holds it/);
  assert.ok(slowestMs < 2_500, `it stood still for ${slowestMs} ms`);
  assert.equal((await fetch(`${url}/readyz`)).status, 503);

  const waiting = client.invoke("nap", nap(1));
  other.exec("COMMIT");
  assert.equal(Buffer.from((await waiting).body).toString(), "1");
  await eventIn(client, eventId, "succeeded");
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
});

/** Overwrites a file from a place on. */
function damage(path: string, fromByte: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(statSync(path).size - fromByte, 0xa5), 0, undefined, fromByte);
  closeSync(file);
}

const pageBytes = 4096;
const unreadable: Readonly<Record<string, { spoil: (path: string) => void; told: RegExp }>> = {
  "that is no database": {
    spoil: (path) => damage(path, 0),
    told: /runlet\.db: file is not a database.*runlet restore/,
  },
  "that is damaged inside": {
    spoil: (path) => damage(path, pageBytes),
    told: /runlet\.db: .*malformed.*runlet restore/,
  },
  "of a newer Runlet": {
    spoil: (path) => {
      using stack = new DisposableStack();
      stack.adopt(new Sqlite(path), (it) => it.close()).pragma("user_version = 999");
    },
    told: /schema is version 999 and this Runlet knows versions up to \d+\. Use the Runlet that wrote it/,
  },
};

for (const [what, { spoil, told }] of Object.entries(unreadable)) {
  test(`a server does not start with a record ${what}, says why, and leaves it as it is`, async () => {
    await using dir = await tempDir();
    const own = testEnvironment(dir.path);
    const path = dir.file("d", "runlet.db");
    mkdirSync(dir.file("d"));
    openDatabase(path)[Symbol.dispose]();
    spoil(path);
    const before = readFileSync(path);
    const { exitCode, stderr } = await execa(process.execPath, [program], {
      env: own,
      reject: false,
      timeout: 3 * timeoutMs,
    });
    assert.equal(exitCode, 1);
    assert.match(stderr, told);
    assert.doesNotMatch(stderr, /\n\s+at /);
    assert.ok(readFileSync(path).equals(before));
  });
}

test("a record that is damaged in mid-work is told of, and the server lives on to its end", async () => {
  await using dir = await tempDir();
  await using server = await startChildServer({ directory: dir.path });
  const { client, url, dataDir } = server;
  await client.deploy("nap", { runtime: "node", isolation: "reuse", code: { source } });
  await client.invoke("nap", nap(0));
  const path = join(dataDir, "runlet.db");
  {
    using stack = new DisposableStack();
    const other = stack.adopt(new Sqlite(path), (it) => it.close());
    other.pragma("wal_checkpoint(TRUNCATE)");
    damage(path, pageBytes);
    // A write of somebody else has the server read again what it had in memory.
    other.pragma("user_version = 1");
  }
  for (const call of [
    async () => await client.invoke("nap", nap(0)),
    async () => await client.invocations(),
    async () => await client.setSecret("word", "x"),
  ]) {
    const { code, detail } = await problemOf(call());
    assert.equal(code, "unavailable");
    assert.match(detail, /record: it is damaged\. Stop the server.*runlet restore/);
  }
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  server.kill("SIGTERM");
  assert.deepEqual(await server.ended(), { code: 0, signal: null });
});
