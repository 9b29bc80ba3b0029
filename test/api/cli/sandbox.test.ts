import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { SandboxCommand } from "../../../api/schema/sandbox-command.ts";
import type { SandboxView } from "../../../api/schema/sandbox.ts";
import { startTestServer } from "../../support/server.ts";
import { type Ended, runlet } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;

async function run(...args: readonly string[]): Promise<Ended> {
  return await runlet([...args], { url: server.url });
}

async function printed<T>(...args: readonly string[]): Promise<T> {
  const { stdout, stderr } = await run(...args, "--json");
  assert.equal(stderr, "");
  return JSON.parse(stdout) as T;
}

const settings =
  "--memory-bytes 128MiB --cpus 0.5 --pids 64 --tmp-bytes 2MiB --disk-bytes 1GiB --timeout-ms 60000 --idle-timeout-ms 50000 " +
  "--on-timeout pause --auto-resume --cwd work -e A=b -m of=a=b -m to=c";

test("a sandbox is opened with what is said, listed, shown, changed, paused, resumed and deleted", async () => {
  assert.equal(
    (await run("sandbox")).stderr,
    "No such sandboxes. Open one with: runlet sandbox create\n",
  );
  const created = await run("sandbox", "create", ...settings.split(" "));
  assert.match(created.stdout, /^[0-9a-f-]{36}\n$/, created.stderr);
  const id = created.stdout.trim();
  const found = JSON.parse((await run("sandbox", "show", id)).stdout) as SandboxView;
  const { memoryBytes, cpus, pids, tmpBytes, diskBytes, idleTimeoutMs, onTimeout, autoResume } =
    found;
  assert.deepEqual(
    [memoryBytes, cpus, pids, tmpBytes, diskBytes, idleTimeoutMs, onTimeout, autoResume],
    [128 * 1024 * 1024, 0.5, 64, 2 * 1024 * 1024, 1024 ** 3, 50_000, "pause", true],
  );
  assert.deepEqual(
    [found.cwd, found.env, found.metadata],
    ["/home/runlet/work", { A: "b" }, { of: "a=b", to: "c" }],
  );

  const listed = await run("sandbox", "ls", "--state", "running", "-m", "of=a=b");
  assert.match(listed.stdout, /^ID +STATE +IMAGE +MEMORY +CREATED +END\n/);
  assert.match(listed.stdout, new RegExp(`\n${id} +running +default +128\\.0 MiB +`));
  assert.match((await run("sandbox", "ls", "-m", "of=another")).stderr, /^No such sandboxes/);

  const change = ["--timeout-ms", "90000", "--idle-timeout-ms", "none", "-m", "a=b"];
  assert.equal((await run("sandbox", "update", id, ...change)).stdout, `Changed ${id}\n`);
  const changed = await client.getSandbox(id);
  assert.deepEqual([changed.timeoutMs, changed.metadata], [90_000, { a: "b" }]);
  assert.equal(changed.idleTimeoutMs, undefined);
  const nothing = await run("sandbox", "update", id);
  assert.equal(nothing.exitCode, 2);

  assert.equal((await run("sandbox", "pause", id)).stdout, `Paused ${id}\n`);
  assert.equal((await printed<SandboxView>("sandbox", "show", id)).state, "paused");
  assert.equal((await run("sandbox", "resume", id)).stdout, `Resumed ${id}\n`);
  const stats = await run("sandbox", "stats", id);
  assert.match(
    stats.stdout,
    /^CPU +CPU TIME +MEMORY +DISK +PIDS\n(?:-|\d+\.\d %) .* \d+\.\d MiB +\d\S* \w+ +\d+\n$/,
  );
  assert.equal((await run("sandbox", "rm", id)).stdout, `Deleted ${id}\n`);
  assert.match((await run("sandbox", "ls")).stdout, new RegExp(`${id} +ended \\(deleted\\)`));
  const gone = await run("sandbox", "pause", id);
  assert.deepEqual([gone.exitCode, /\(not_found\)/.test(gone.stderr)], [1, true]);
});

test("commands of a sandbox are listed, followed and killed, those in the background too", async () => {
  const { id } = await client.createSandbox();
  const script = "echo out; echo err >&2; sleep 400";
  const begun = await run("exec", id, "--detach", "--tag", "bg", "--", "sh", "-c", script);
  const command = begun.stdout.trim();
  const running = await run("sandbox", "ps", id);
  assert.match(running.stdout, /^ID +PID +STARTED +STATE +TAG +COMMAND\n/);
  assert.match(running.stdout, new RegExp(`${command} +\\d+ .* running +bg +sh -c echo out; `));
  const followed = run("sandbox", "logs", id, command);
  assert.equal(
    (await run("sandbox", "kill", id, command, "-s", "KILL")).stdout,
    `Sent KILL to ${command}\n`,
  );
  const { exitCode, stdout, stderr } = await followed;
  assert.deepEqual([exitCode, stdout], [0, "out\n"]);
  assert.equal(stderr, `err\n-- ${command} SIGKILL\n`);
  assert.equal((await run("sandbox", "ps", id)).stderr, "No such commands.\n");
  const { items } = await printed<{ items: SandboxCommand[] }>("sandbox", "ps", id, "--all");
  assert.deepEqual([items[0]?.id, items[0]?.signal], [command, "SIGKILL"]);
});
