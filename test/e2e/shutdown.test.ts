import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { ConnectionError } from "../../api/client/errors.ts";
import { poll, within } from "../../runtime/deadline.ts";
import { openDatabase } from "../../store/database.ts";
import { InvocationStore } from "../../store/invocations.ts";
import { type ChildServer, startChildServer } from "../support/child-server.ts";
import { problemOf } from "../support/problem.ts";
import { runningInvocation } from "../support/running.ts";
import { leftoversOf, nothingLeft } from "../support/sandboxes.ts";
import { testEnvironment } from "../support/server.ts";
import { tempDir } from "../support/temp-dir.ts";

const pool = { RUNLET_POOL_FLOOR: "2", RUNLET_POOL_MAX: "4" };
const node = { runtime: "node", code: { source: "export const handler = () => 1;" } } as const;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`a server that gets ${signal} ends with 0 and leaves nothing running`, async () => {
    await using server = await startChildServer({ env: pool });
    await server.client.deploy("f", node);
    assert.equal((await server.client.invoke("f")).status, 200);
    server.kill(signal);
    assert.deepEqual(await server.ended(), { code: 0, signal: null });
    assert.deepEqual(leftoversOf(server.stateDir), []);
    await assert.rejects(server.client.functions(), { name: "ConnectionError" });
  });
}

test("a running invocation may end in its own time after SIGTERM, and new ones are not taken", async () => {
  await using server = await startChildServer();
  await server.client.deploy("nap", { runtime: "command", command: ["sleep", "3"] });
  const called = server.client.invoke("nap");
  const { id } = await runningInvocation(server.client, "nap");
  server.kill("SIGTERM");
  const refusal = await poll(
    "see no more calls taken",
    async () =>
      await server.client.functions().then(
        () => undefined,
        (error: unknown) => error,
      ),
    { timeoutMs: 5_000 },
  );
  assert.ok(refusal instanceof ConnectionError);
  assert.equal((await called).status, 200);
  assert.deepEqual(await server.ended(), { code: 0, signal: null });
  assert.equal(statusIn(server, id), "succeeded");
  assert.deepEqual(leftoversOf(server.stateDir), []);
});

test("an invocation that outlasts the shutdown's patience is cancelled, told and on record", async () => {
  await using server = await startChildServer({ env: { RUNLET_SHUTDOWN_TIMEOUT_MS: "300" } });
  await server.client.deploy("endless", { runtime: "command", command: ["sleep", "600"] });
  const called = problemOf(server.client.invoke("endless"));
  const { id } = await runningInvocation(server.client, "endless");
  server.kill("SIGTERM");
  const problem = await called;
  assert.equal(problem.status, 499);
  assert.equal(problem.code, "cancelled");
  assert.deepEqual(await server.ended(), { code: 0, signal: null });
  assert.equal(statusIn(server, id), "cancelled");
  assert.deepEqual(leftoversOf(server.stateDir), []);
});

test("a second signal cancels at once what the first one waits for", async () => {
  await using server = await startChildServer({ env: { RUNLET_SHUTDOWN_TIMEOUT_MS: "600000" } });
  await server.client.deploy("endless", { runtime: "command", command: ["sleep", "600"] });
  const called = problemOf(server.client.invoke("endless"));
  const { id } = await runningInvocation(server.client, "endless");
  server.kill("SIGINT");
  await poll("see it end", async () => server.log().includes("shutting down") || undefined, {
    timeoutMs: 5_000,
  });
  server.kill("SIGINT");
  assert.equal((await called).code, "cancelled");
  assert.deepEqual(await server.ended(), { code: 0, signal: null });
  assert.equal(statusIn(server, id), "cancelled");
  assert.deepEqual(leftoversOf(server.stateDir), []);
});

test("a full server that is to end turns away whoever is still there, and ends the connection", async () => {
  const full = { RUNLET_MAX_CONCURRENCY: "1", RUNLET_QUEUE_LIMIT: "1" };
  await using server = await startChildServer({
    env: { ...full, RUNLET_SHUTDOWN_TIMEOUT_MS: "600000" },
  });
  const path = "/v1/functions/endless/invocations";
  await server.client.deploy("endless", { runtime: "command", command: ["sleep", "600"] });
  const held = Promise.allSettled([problemOf(server.client.invoke("endless"))]);
  await runningInvocation(server.client, "endless");
  const waiting = problemOf(server.client.invoke("endless")).catch(() => undefined);
  const isFull = async (): Promise<true | undefined> => {
    const signal = AbortSignal.timeout(200);
    const asked = fetch(server.url + path, { method: "POST", signal });
    return (await asked.catch(() => undefined))?.status === 429 || undefined;
  };
  await poll("see the server full", isFull, { timeoutMs: 5_000 });
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  // A request that has begun keeps its connection from being idle.
  socket.write(`POST ${path} HTTP/1.1\r\nhost: ${hostname}\r\n`);
  await server.client.functions();
  server.kill("SIGTERM");
  const isClosed = async (): Promise<true | undefined> =>
    await server.client.functions().then(
      () => undefined,
      () => true,
    );
  await poll("see no more connections taken", isClosed, { timeoutMs: 3_000 });
  socket.write("content-length: 0\r\n\r\n");
  const told = await within(text(socket), "see the connection end", 5_000);
  assert.match(told, /^HTTP\/1\.1 429 /);
  assert.match(told, /^connection: close\r$/im);
  server.kill("SIGTERM");
  assert.deepEqual(await server.ended(), { code: 0, signal: null });
  await Promise.all([held, waiting]);
});

test("a server that is to end says that it is not ready before it takes no more", async () => {
  await using server = await startChildServer({ env: { RUNLET_SHUTDOWN_DELAY_MS: "600000" } });
  const ready = async (): Promise<number> => (await fetch(`${server.url}/readyz`)).status;
  assert.equal(await ready(), 200);
  server.kill("SIGTERM");
  const isUnready = async (): Promise<true | undefined> =>
    (await ready()) === 503 ? true : undefined;
  await poll("see it not ready", isUnready, { timeoutMs: 5_000 });
  await server.client.deploy("true", { runtime: "command", command: ["true"] });
  assert.equal((await server.client.invoke("true")).status, 200);
  server.kill("SIGTERM");
  assert.deepEqual(await server.ended(), { code: 0, signal: null });
});

test("a server that gets a signal while it starts ends with 0 and leaves nothing", async () => {
  await using dir = await tempDir();
  const own = testEnvironment(dir.path);
  const env = { ...own, RUNLET_IMAGES_DIR: join(dir.path, "images") };
  const child = spawn(process.execPath, [join(import.meta.dirname, "../../api/server.ts")], {
    env: { ...process.env, ...env, RUNLET_LOG_LEVEL: "info" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "exit");
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    const isBuilding = log.includes("building");
    log += chunk.toString();
    if (!isBuilding && log.includes("building")) child.kill("SIGTERM");
  });
  assert.deepEqual(await ended, [0, null], log);
  assert.match(log, /shutting down/);
  assert.doesNotMatch(log, /listening/);
  await nothingLeft(own["RUNLET_STATE_DIR"] ?? "");
});

test("a server that was killed leaves no running record and no container to the one after it", async () => {
  await using dir = await tempDir();
  let id: string;
  {
    await using killed = await startChildServer({ directory: dir.path });
    await killed.client.deploy("endless", { runtime: "command", command: ["sleep", "600"] });
    const called = killed.client.invoke("endless").catch(() => undefined);
    ({ id } = await runningInvocation(killed.client, "endless"));
    killed.kill("SIGKILL");
    assert.deepEqual(await killed.ended(), { code: null, signal: "SIGKILL" });
    await called;
  }
  await using server = await startChildServer({ directory: dir.path });
  await nothingLeft(server.stateDir);
  const record = await server.client.invocation(id);
  assert.equal(record.status, "lost");
  assert.equal((await server.client.functions()).items[0]?.name, "endless");
});

test("a second server on the same data directory is refused and does no harm to the first", async () => {
  await using dir = await tempDir();
  await using first = await startChildServer({ directory: dir.path });
  await assert.rejects(startChildServer({ directory: dir.path }), /did not listen[^]*error: /);
  await first.client.deploy("true", { runtime: "command", command: ["true"] });
  assert.equal((await first.client.invoke("true")).status, 200);
});

test("a server with a wrong configuration names the variable and ends with 1", async () => {
  await assert.rejects(
    startChildServer({ env: { RUNLET_PORT: "http" } }),
    /error: Cannot use the configuration: RUNLET_PORT: /,
  );
});

/** What the database has of an invocation, now that its server is gone. */
function statusIn({ dataDir }: ChildServer, id: string): string | undefined {
  const file = `${dataDir}/runlet.db`;
  assert.ok(existsSync(file));
  using database = openDatabase(file);
  return new InvocationStore(database).get(id)?.status;
}
