import assert from "node:assert/strict";
import { readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import { problemOf } from "../support/problem.ts";
import { nothingLeft } from "../support/sandboxes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { type TempDir, tempDir } from "../support/temp-dir.ts";

let dir: TempDir;
let server: TestServer;
let client: Client;
let sandbox = "";
let snapshot = "";
before(async () => {
  dir = await tempDir();
  const runsc = dir.file("runsc");
  await symlink(join(import.meta.dirname, "../fixtures/faulty-runsc.sh"), runsc);
  await have("none", "");
  server = await startTestServer({ overrides: { runsc, snapshotTimeoutMs: 2500 } });
  ({ client } = server);
  const quick = { runtime: "command", timeoutMs: 1000 } as const;
  await client.deploy("command", { ...quick, command: ["true"] });
  await client.deploy("endless", { ...quick, command: ["sleep", "60"], timeoutMs: 300 });
  await client.deploy("node", {
    runtime: "node",
    code: { source: "export const handler = () => 1;" },
  });
  sandbox = (await client.createSandbox({})).id;
  snapshot = (await client.createSnapshot(sandbox)).id;
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

/** Has a subcommand of runsc do something wrong from now on; see test/fixtures/faulty-runsc.sh. */
async function have(subcommand: string, fault: string): Promise<void> {
  await writeFile(dir.file("fault"), `${subcommand} ${fault}\n`);
}

/** What a caller asks for, and puts away again where it got it. */
const requests = {
  "a command": async () => void (await client.invoke("command")),
  "a function": async () => void (await client.invoke("node")),
  "a program": async () => {
    const program = { runtime: "node", code: { source: "1" }, timeoutMs: 1000 } as const;
    assert.equal((await client.execute(program)).exitReason, "exited");
  },
  "a sandbox": async () => await client.removeSandbox((await client.createSandbox({})).id),
  "a snapshot": async () => await client.removeSnapshot((await client.createSnapshot(sandbox)).id),
  "a copy": async () => await client.removeSandbox((await client.createSandbox({ snapshot })).id),
} satisfies Record<string, () => Promise<void>>;

type Row = [
  subcommand: string,
  fault: string,
  request: keyof typeof requests,
  status: number,
  code: string,
  detail: RegExp,
];
const rows: Row[] = [
  ["run", "hangs", "a command", 504, "function_timeout", /timed out after 1000 ms/],
  ["run", "babbles", "a command", 500, "runtime_failed", /status 0 and gave no reason/],
  ["run", "dies", "a command", 500, "runtime_failed", /runsc was ended by SIGKILL/],
  ["run", "breaks", "a command", 500, "runtime_failed", /runsc was ended by SIGKILL/],
  ["run", "babbles", "a function", 500, "runtime_failed", /3 containers in a row .*status 0/],
  ["run", "breaks", "a function", 500, "runtime_failed", /3 containers in a row .*SIGKILL/],
  ["run", "babbles", "a program", 500, "runtime_failed", /status 0 and gave no reason/],
  ["run", "breaks", "a program", 500, "runtime_failed", /runsc was ended by SIGKILL/],
  ["run", "babbles", "a sandbox", 503, "unavailable", /status 0 and gave no reason. Try again/],
  ["run", "breaks", "a sandbox", 503, "unavailable", /runsc was ended by SIGKILL. Try again/],
  ["checkpoint", "hangs", "a snapshot", 500, "runtime_failed", /no answer within 2500 ms$/],
  ["checkpoint", "babbles", "a snapshot", 500, "runtime_failed", /it has written nothing$/],
  ["checkpoint", "dies", "a snapshot", 500, "runtime_failed", /it was ended by SIGKILL$/],
  ["checkpoint", "breaks", "a snapshot", 500, "runtime_failed", /it was ended by SIGKILL$/],
  ["version", "babbles", "a snapshot", 500, "runtime_failed", /names no release$/],
  ["version", "dies", "a snapshot", 500, "runtime_failed", /it was ended by SIGKILL$/],
  ["restore", "hangs", "a copy", 504, "deadline_exceeded", /not so within 2500 ms/],
  ["restore", "babbles", "a copy", 500, "runtime_failed", /status 0 and gave no reason$/],
  ["restore", "dies", "a copy", 500, "runtime_failed", /runsc was ended by SIGKILL$/],
  ["restore", "breaks", "a copy", 500, "runtime_failed", /runsc was ended by SIGKILL$/],
  ["state", "hangs", "a copy", 504, "deadline_exceeded", /state failed: no answer within 2500 ms/],
  ["state", "babbles", "a copy", 504, "deadline_exceeded", /state failed: unexpected answer/],
];
for (const [subcommand, fault, request, status, code, detail] of rows) {
  test(`a runsc whose ${subcommand} ${fault} is told to who asks for ${request}, and the next gets it`, async () => {
    await have(subcommand, fault);
    const problem = await problemOf(requests[request]());
    await have("none", "");
    assert.deepEqual([problem.status, problem.code], [status, code]);
    assert.match(problem.detail, detail);
    // Where things are on the host, and how they are called there, is nobody's business.
    assert.ok(!problem.detail.includes(dir.path));
    await requests[request]();
  });
}

for (const fault of ["babbles", "dies", "breaks"]) {
  test(`a runsc whose delete ${fault} changes nothing of what callers are told`, async () => {
    await have("delete", fault);
    assert.equal((await problemOf(client.invoke("endless"))).code, "function_timeout");
    await requests["a copy"]();
    await have("none", "");
  });
}

test("nothing is left of all that has failed", async () => {
  const { stdout } = await client.runCommand(sandbox, { command: "echo alive" });
  assert.equal(stdout.text, "alive\n");
  assert.deepEqual(await readdir(join(server.config.dataDir, "snapshots")), [snapshot]);
  assert.deepEqual(
    (await client.listSandboxes({ state: "running" })).items.map(({ id }) => id),
    [sandbox],
  );
  await client.removeSandbox(sandbox);
  await nothingLeft(server.config.stateDir);
});
