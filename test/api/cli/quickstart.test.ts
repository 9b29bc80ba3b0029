import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "../../../api/client/client.ts";
import { poll } from "../../../runtime/deadline.ts";
import { startChildServer } from "../../support/child-server.ts";
import { testEnvironment } from "../../support/server.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { type Ended, runlet, runletOnTerminal } from "./runlet.ts";

const program = "quickstart.ts";

test("quickstart without a terminal shows answer and record and ends, as often as it is started", async () => {
  await using dir = await tempDir();
  const env = testEnvironment(dir.path);
  for (const _time of ["first", "second"]) {
    const ended = await runlet([], { program, env });
    checkStory(ended);
    const [, url = ""] = /serve at (http:\S+)/.exec(ended.stdout) ?? [];
    await assert.rejects(new Client({ url }).functions(), { name: "ConnectionError" });
  }
});

test("quickstart uses the server that has the data directory, and leaves it running", async () => {
  await using server = await startChildServer();
  const env = {
    RUNLET_DATA_DIR: server.dataDir,
    RUNLET_STATE_DIR: server.stateDir,
    RUNLET_PORT: new URL(server.url).port,
  };
  const ended = await runlet([], { program, env });
  checkStory(ended);
  assert.match(ended.stdout, new RegExp(`using the one at ${server.url}\n`));
  const { items } = await server.client.invocations();
  assert.deepEqual(
    items.map((item) => [item.functionName, item.exitCode]),
    [["hello", 0]],
  );
});

test("quickstart says what to do when that server listens elsewhere", async () => {
  await using server = await startChildServer();
  const env = { RUNLET_DATA_DIR: server.dataDir, RUNLET_PORT: "1" };
  const { exitCode, stderr } = await runlet([], { program, env });
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /^error: Cannot reach the server at http:\/\/127.0.0.1:1: .* set RUNLET_PORT/,
  );
});

test("quickstart on a terminal serves until Ctrl-C", async () => {
  await using dir = await tempDir();
  using terminal = runletOnTerminal([], { program, env: testEnvironment(dir.path) });
  const isServing = (): true | undefined =>
    terminal.screen().includes("Serving until Ctrl-C.") || undefined;
  await poll("see it serve", isServing, { timeoutMs: 60_000, intervalMs: 50 });
  const [, url = ""] = /serve at (http:\S+)/.exec(terminal.screen()) ?? [];
  const client = new Client({ url });
  const answer = await client.invoke("hello", { event: '{"name":"Grace"}' });
  assert.match(Buffer.from(answer.body).toString(), /"hello":"Grace"/);
  terminal.type("\u0003");
  assert.equal((await terminal.ended()).exitCode, 0);
  await assert.rejects(client.functions(), { name: "ConnectionError" });
});

test("quickstart names a wrong configuration", async () => {
  const { exitCode, stdout, stderr } = await runlet([], { program, env: { RUNLET_PORT: "http" } });
  assert.deepEqual({ exitCode, stdout }, { exitCode: 1, stdout: "" });
  assert.match(stderr, /^error: .*RUNLET_PORT/);
});

function checkStory({ exitCode, stdout, stderr }: Ended): void {
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^answer\n\{\n {2}"hello": "Ada",\n/m);
  assert.match(stdout, /^record\n\{\n {2}"id": "/m);
  assert.match(stdout, /^ {2}"exitCode": 0,/m);
  assert.match(stdout, /^ {2}"stdout": "invocation [0-9a-f-]{36}\\n"/m);
  assert.match(stdout, /npx runlet --help/);
  assert.ok(!stdout.includes("Ctrl-C") && !stdout.includes("\u001B"));
}
