import assert from "node:assert/strict";
import { readdir, truncate } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { after, suite, test } from "node:test";
import type { SandboxCommand } from "../../api/schema/sandbox-command.ts";
import type { SandboxSpecInput } from "../../api/schema/sandbox.ts";
import { poll, within } from "../../runtime/deadline.ts";
import { problemOf } from "../support/problem.ts";
import { sandboxesOf } from "../support/sandboxes.ts";
import { startTestServer } from "../support/server.ts";

const mebibyte = 1024 * 1024;
const server = await startTestServer({
  overrides: { maxSandboxes: 5, maxSnapshots: 3, maxSnapshotBytes: 80 * mebibyte },
});
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const small = { memoryBytes: 128 * mebibyte };
const patience = { timeoutMs: 15_000 };
const snapshotsDir = join(server.config.dataDir, "snapshots");

/** Counts in memory the lines that it is given, and writes its count down. */
const counter = `
import os, sys
count = 0
for line in sys.stdin:
    count += 1
    with open("count.new", "w") as file:
        file.write(str(count))
    os.rename("count.new", "count")
`;

const echoing = `
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line)
server = socketserver.ThreadingTCPServer(("127.0.0.1", 8000), Echo)
print("listens", flush=True)
server.serve_forever()
`;

/** What a connection to the echoing server answers to a line. */
async function echoOf(connection: Duplex, line: string): Promise<string> {
  connection.write(`${line}\n`);
  const [answer] = (await within(once(connection, "data"), "see an echo", 10_000)) as [Buffer];
  return answer.toString().trimEnd();
}

async function opened(spec: SandboxSpecInput = {}): Promise<string> {
  return (await client.createSandbox({ ...small, ...spec })).id;
}

async function opensCounting(): Promise<string> {
  const id = await opened({ metadata: { of: "original" } });
  const args = ["python3", "-c", counter];
  await client.startCommand(id, { args, hasStdin: true, tag: "counter" });
  return id;
}

async function commandOf(id: string, tag: string): Promise<SandboxCommand> {
  const found = (await client.commands(id)).items.find((each) => each.tag === tag);
  assert.ok(found !== undefined && found.endedAtUs === undefined);
  return found;
}

/** Gives the counter of a sandbox a line, and waits until it has counted it. */
async function count(id: string, expected: number): Promise<void> {
  await client.writeInput(id, (await commandOf(id, "counter")).id, "line\n");
  await counted(id, expected);
}

async function counted(id: string, expected: number): Promise<void> {
  const look = async (): Promise<true | undefined> =>
    (await client.readText(id, "count").catch(() => "")) === String(expected) || undefined;
  await poll(`see the count of ${expected}`, look, patience);
}

async function outputOf(id: string, command: string): Promise<string> {
  const { stdout, exitCode } = await client.runCommand(id, { command });
  assert.equal(exitCode, 0);
  return stdout.text.trim();
}

async function remove(...ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map(async (id) => await client.removeSandbox(id)));
}

suite("copies of sandboxes", () => {
  test("forks go on with memory, processes and files, go apart, and the original goes on too", async () => {
    const original = await opensCounting();
    await client.writeFile(original, "shared", "before");
    await count(original, 1);
    await count(original, 2);
    const forks = await client.forkSandbox(original, { count: 2, metadata: { of: "fork" } });
    const [first = "", second = ""] = forks.map(({ id }) => id);
    assert.equal(new Set([original, first, second]).size, 3);
    for (const { id, start, metadata, cwd, createdAtUs, expiresAtUs, timeoutMs } of forks) {
      assert.deepEqual([start, metadata, cwd], ["restored", { of: "fork" }, "/home/runlet"]);
      assert.equal(expiresAtUs, createdAtUs + timeoutMs * 1000);
      const [command] = (await client.commands(id)).items;
      const [of] = (await client.commands(original)).items;
      assert.deepEqual(command?.args, ["python3", "-c", counter]);
      assert.equal(command?.pid, of?.pid);
      assert.notEqual(command?.id, of?.id);
    }
    await count(first, 3);
    await count(first, 4);
    await count(second, 3);
    await client.writeFile(first, "shared", "in the first");
    await client.removeFile(second, "shared");
    await counted(original, 2);
    assert.equal(await client.readText(original, "shared"), "before");
    await count(original, 3);

    const fresh =
      "head -c 8 /dev/urandom | od -An -tx8; python3 -c 'import random; print(random.random())'";
    const said = await Promise.all(
      [original, first, second].map(async (id) => await outputOf(id, fresh)),
    );
    assert.equal(new Set(said.flatMap((text) => text.split("\n"))).size, 6);
    const atMs = Number(await outputOf(second, "date +%s%3N"));
    assert.ok(Math.abs(Date.now() - atMs) < 5000);

    await client.removeSandbox(original);
    await count(first, 5);
    const command = await commandOf(second, "counter");
    await client.signalCommand(second, command.id, "SIGTERM");
    const ended = async (): Promise<true | undefined> =>
      (await client.command(second, command.id)).signal === "SIGTERM" || undefined;
    await poll("see the end of an adopted command on record", ended, patience);
    await remove(first, second);
  });

  test("a snapshot keeps what was, for any number of sandboxes, and outlives the original", async () => {
    const original = await opensCounting();
    await count(original, 1);
    const made = await client.createSnapshot(original, { name: "one", metadata: { a: "b" } });
    await count(original, 2);
    assert.deepEqual(
      [made.sandboxId, made.name, made.metadata, made.state, made.image, made.memoryBytes],
      [original, "one", { a: "b" }, "ready", "default", small.memoryBytes],
    );
    assert.ok(made.sizeBytes > mebibyte);
    await client.removeSandbox(original);
    const found = await client.snapshots({ sandbox: original, name: "one", metadata: "a=b" });
    assert.deepEqual(found.items, [made]);
    assert.deepEqual((await client.snapshots({ metadata: "a=c" })).items, []);

    const [one, two] = await Promise.all([
      client.createSandbox({ snapshot: made.id }),
      client.createSandbox({ snapshot: made.id, timeoutMs: 60_000, cpus: 0.5, metadata: {} }),
    ]);
    assert.deepEqual([one.snapshot, one.metadata, one.cpus], [made.id, { of: "original" }, 1]);
    assert.deepEqual([two.timeoutMs, two.metadata, two.cpus], [60_000, {}, 0.5]);
    await count(one.id, 2);
    await count(one.id, 3);
    await count(two.id, 2);
    const [again] = await client.forkSandbox(one.id);
    await count(again?.id ?? "", 4);
    await client.removeSnapshot(made.id);
    assert.equal((await problemOf(client.getSnapshot(made.id))).code, "not_found");
    const gone = await problemOf(client.createSandbox({ snapshot: made.id }));
    assert.equal(gone.code, "not_found");
    assert.deepEqual(await readdir(snapshotsDir), []);
    await count(two.id, 3);
    await remove(one.id, two.id, again?.id ?? "");
  });

  test("a paused sandbox is saved and stays paused; its copy runs", async () => {
    const original = await opened();
    await client.pauseSandbox(original);
    const { id } = await client.createSnapshot(original);
    assert.equal((await client.getSandbox(original)).state, "paused");
    const copy = await client.createSandbox({ snapshot: id });
    assert.equal(copy.state, "running");
    assert.equal(await outputOf(copy.id, "echo here"), "here");
    await client.resumeSandbox(original);
    assert.equal(await outputOf(original, "echo here"), "here");
    await client.removeSnapshot(id);
    await remove(original, copy.id);
  });

  test("a command that is streamed misses nothing while its sandbox is saved, and a terminal goes along", async () => {
    const original = await opened();
    const terminal = { cols: 80, rows: 24 };
    const shell = await client.startCommand(original, { args: ["sh"], terminal, tag: "shell" });
    const streamed = client.streamCommand(original, { command: "seq 1 200000" });
    let text = "";
    let saving: Promise<{ id: string }> | undefined;
    for await (const event of streamed) {
      if (event.type === "output") text += event.text;
      saving ??= client.createSnapshot(original);
    }
    assert.equal(text.split("\n").length, 200_001);
    const { id } = (await saving) ?? { id: "" };
    const copy = await client.createSandbox({ snapshot: id });
    const found = await commandOf(copy.id, "shell");
    assert.deepEqual([found.hasTerminal, found.pid], [true, shell.pid]);
    const follower = client.followCommand(copy.id, found.id);
    await client.writeInput(copy.id, found.id, "echo $((6 * 7)); exit\n");
    let shown = "";
    for await (const event of follower) if (event.type === "output") shown += event.text;
    assert.match(shown, /42/);
    await client.removeSnapshot(id);
    await remove(original, copy.id);
  });

  test("a server inside goes along, and a connection to it stays with the original", async () => {
    const original = await opened();
    const echo = await client.startCommand(original, { args: ["python3", "-c", echoing] });
    for await (const event of client.followCommand(original, echo.id)) {
      if (event.type === "output") break;
    }
    const connection = await client.connectPort(original, 8000);
    assert.equal(await echoOf(connection, "before"), "before");
    const [copy] = await client.forkSandbox(original);
    assert.equal(await echoOf(connection, "after"), "after");
    const another = await client.connectPort(copy?.id ?? "", 8000);
    assert.equal(await echoOf(another, "copied"), "copied");
    for (const each of [connection, another]) each.destroy();
    await remove(original, copy?.id ?? "");
  });

  test("a restore that fails leaves nothing", async () => {
    const original = await opened();
    const { id } = await client.createSnapshot(original);
    await truncate(join(snapshotsDir, id, "pages.img"), 4096);
    const { code, detail } = await problemOf(client.createSandbox({ snapshot: id }));
    assert.equal(code, "failed_precondition");
    assert.match(detail, /files are damaged/);
    assert.equal((await client.sandboxes.list({ state: "running" })).items.length, 1);
    assert.equal(sandboxesOf(server.config.stateDir).length, 1);
    assert.equal(await outputOf(original, "echo here"), "here");
    await client.removeSnapshot(id);
    await remove(original);
  });

  test("what there is no room for is refused, and the sandbox goes on", async () => {
    const original = await opened();
    const many = await problemOf(client.forkSandbox(original, { count: 5 }));
    assert.equal(many.code, "resource_exhausted");
    assert.match(many.detail, /5 sandboxes: 1 are open of 5/);
    await client.runCommand(original, { command: "head -c 90000000 /dev/urandom > big" });
    const large = await problemOf(client.createSnapshot(original));
    assert.equal(large.code, "resource_exhausted");
    assert.match(large.detail, /takes \d+ bytes/);
    assert.deepEqual(await readdir(snapshotsDir), []);
    await client.removeFile(original, "big");
    const other = await opened();
    const kept = await Promise.all([1, 2, 3].map(async () => await client.createSnapshot(other)));
    const more = await problemOf(client.createSnapshot(other));
    assert.match(more.detail, /there are 3, which is all/);
    await Promise.all(kept.map(async ({ id }) => await client.removeSnapshot(id)));
    assert.equal(await outputOf(original, "echo here"), "here");
    await remove(original, other);
  });

  const nobody = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";
  const refusals: [string, () => Promise<unknown>, string, RegExp][] = [
    [
      "of a snapshot that is not",
      async () => await client.createSandbox({ snapshot: nobody }),
      "not_found",
      /snapshot/,
    ],
    [
      "with another image",
      async () => await client.createSandbox({ snapshot: nobody, image: "default" }),
      "invalid_argument",
      /image/,
    ],
    [
      "of a sandbox that is not",
      async () => await client.forkSandbox(nobody),
      "not_found",
      /sandbox/,
    ],
    [
      "of none",
      async () => await client.forkSandbox(nobody, { count: 0 }),
      "invalid_argument",
      /count/,
    ],
  ];
  for (const [what, ask, code, detail] of refusals) {
    test(`a copy ${what} is refused`, async () => {
      const problem = await problemOf(ask());
      assert.equal(problem.code, code);
      assert.match(problem.detail, detail);
    });
  }
});
