import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { join } from "node:path";
import { Client } from "../../../api/client/client.ts";
import { poll } from "../../../runtime/deadline.ts";
import { startChildServer } from "../../support/child-server.ts";
import { testEnvironment } from "../../support/server.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { runlet, runletOnTerminal } from "./runlet.ts";

test("serve serves with the options given until Ctrl-C, and ends with 0", async () => {
  await using dir = await tempDir();
  const args = ["serve", "--port", "0", "--host", "127.0.0.1", "--data-dir", dir.file("other")];
  const env = { ...testEnvironment(dir.path), RUNLET_PORT: "1", RUNLET_LOG_LEVEL: "info" };
  using terminal = runletOnTerminal(args, { env });
  const line = /"url":"([^"]+)","dataDir":"([^"]+)"/;
  const probe = (): RegExpExecArray | undefined => line.exec(terminal.screen()) ?? undefined;
  const [, url = "", dataDir] = await poll("see it listen", probe, { timeoutMs: 60_000 });
  assert.equal(dataDir, dir.file("other"));
  assert.deepEqual(await new Client({ url }).functions(), { items: [] });
  terminal.type("\u0003");
  assert.equal((await terminal.ended()).exitCode, 0);
});

test("serve refuses a data directory that is served already, and a port that cannot be", async () => {
  await using server = await startChildServer();
  const taken = await runlet(["serve", "--port", "0", "--data-dir", server.dataDir]);
  assert.deepEqual([taken.exitCode, taken.stdout], [1, ""]);
  assert.match(taken.stderr, /^error: Cannot lock .*: process \d+ serves it already/);
  const port = await runlet(["serve", "--port", "99999"]);
  assert.equal(port.exitCode, 1);
  assert.match(
    port.stderr,
    /^error: Cannot use the configuration: --port: expected a whole number from 0 to 65535/,
  );
});

test("a reader that goes away early is no error", async () => {
  await using server = await startChildServer();
  const args = [join(import.meta.dirname, "../../../api/cli/main.ts"), "functions", "--json"];
  const env = { ...process.env, RUNLET_URL: server.url };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  const stderr = (await child.stderr.toArray()).join("");
  const probe = (): number | undefined => child.exitCode ?? undefined;
  assert.equal(await poll("see it end", probe, { timeoutMs: 30_000 }), 0, stderr);
  assert.equal(stderr, "");
});
