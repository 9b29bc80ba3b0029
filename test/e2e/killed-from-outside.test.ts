import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { after, before, test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import type { Problem } from "../../api/schema/problem.ts";
import { poll } from "../../runtime/deadline.ts";
import { call } from "../support/call.ts";
import { eventIn } from "../support/events.ts";
import { following } from "../support/following.ts";
import { problemOf } from "../support/problem.ts";
import { endedInvocation } from "../support/running.ts";
import { nothingLeft, sandboxPidsOf } from "../support/sandboxes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const timeoutMs = 30_000;

/** Says where it is, and stays there if its event says so. */
const source = `const stay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
console.log("loading");
if (process.env.LOAD_MS) await stay(Number(process.env.LOAD_MS));
async function* write() { yield "begun"; console.log("writing"); await stay(600_000); }
export const handler = async ({ does }) => {
  if (does === "write") return write();
  if (does === "stay") { console.log("staying"); await stay(600_000); }
  return "done";
};`;
const slow: FunctionSpecInput = { runtime: "node", code: { source } };

let server: TestServer;
let client: Client;
before(async () => {
  server = await startTestServer();
  ({ client } = server);
  await client.deploy("f", { ...slow, async: { maxAttempts: 2, backoffMs: 20 } });
  await client.deploy("loads", { ...slow, env: { LOAD_MS: "500" } });
  const script = "echo staying; exec sleep 600";
  await client.deploy("command", { runtime: "command", command: ["sh", "-c", script] });
});
after(async () => await server[Symbol.asyncDispose]());

const pids = (): number[] => sandboxPidsOf(server.config.stateDir);

/** Kills what has come up since, once that is so. */
async function killBeside(others: readonly number[]): Promise<void> {
  const probe = (): number[] | undefined => {
    const found = pids().filter((pid) => !others.includes(pid));
    return found.length > 0 ? found : undefined;
  };
  const found = await poll("see a sandbox", probe, { timeoutMs, intervalMs: 1 });
  for (const pid of found) process.kill(pid, "SIGKILL");
}

/** Begins work, and kills its sandbox each time that the function says that it has come so far. */
async function killedAt<T>(
  [name, stage, times = 1]: [name: string, stage: string, times?: number],
  begin: () => Promise<T>,
): Promise<T> {
  const others = pids();
  await using follower = await following(client, name);
  const work = begin();
  work.catch(() => undefined);
  for (let nth = 1; nth <= times; nth++) {
    const said = (): true | undefined => {
      const outputs = follower.events.filter((event) => event.type === "output");
      return outputs.filter(({ text }) => text.includes(stage)).length >= nth || undefined;
    };
    await poll(`hear that it is ${stage}`, said, { timeoutMs });
    await killBeside(others);
  }
  return await work;
}

const event = (does: string): string => JSON.stringify({ does });

async function answers(): Promise<void> {
  assert.equal(Buffer.from((await client.invoke("f")).body).toString(), "done");
}

async function assertKilled(id: string): Promise<void> {
  const record = await endedInvocation(client, id);
  const { status, exitReason, exitSignal } = record;
  assert.deepEqual([status, exitReason, exitSignal], ["failed", "signaled", "SIGKILL"]);
}

test("a function whose sandbox is killed as it starts or loads runs in another one", async () => {
  const [started] = await Promise.all([client.invoke("f"), killBeside(pids())]);
  assert.equal(started.status, 200);
  const loaded = await killedAt(["loads", "loading"], async () => await client.invoke("loads"));
  assert.equal(loaded.status, 200);
});

for (const name of ["f", "command"]) {
  test(`a caller of ${name} is told that its sandbox was killed, and so is the record`, async () => {
    const problem = await killedAt([name, "staying"], async () => {
      return await problemOf(client.invoke(name, { event: event("stay") }));
    });
    assert.deepEqual([problem.status, problem.code], [502, "function_error"]);
    assert.match(problem.detail, /killed by SIGKILL/);
    await assertKilled(problem.invocationId ?? "");
    await answers();
  });
}

test("an event whose sandbox is killed is tried again, and dead with each attempt on record", async () => {
  const { eventId } = await killedAt(["f", "staying", 2], async () => {
    return await client.invokeAsync("f", { event: event("stay") });
  });
  const { attempts, error, invocations } = await eventIn(client, eventId, "dead");
  assert.deepEqual([attempts, error?.code], [2, "function_error"]);
  for (const { invocationId } of invocations) await assertKilled(invocationId);
});

test("a stream whose sandbox is killed breaks off, and the record says why", async () => {
  const response = await killedAt(["f", "writing"], async () => {
    return await call(server, "f", { body: event("write") });
  });
  await assert.rejects(response.text(), { message: "terminated" });
  await assertKilled(response.headers.get("runlet-invocation-id") ?? "");
  await answers();
});

/** What a sandbox is at when it is killed; `begun` tells when it is so far. */
const busy: [string, (id: string) => Promise<unknown>, begun: (id: string) => Promise<boolean>][] =
  [
    [
      "runs a command",
      async (id) => await client.runCommand(id, { command: "touch /tmp/here; sleep 600" }),
      async (id) => (await client.listFiles(id, "/tmp")).entries.length > 0,
    ],
    [
      "takes a file",
      async (id) => await client.writeFile(id, "/tmp/file", endless()),
      async (id) => (await client.listFiles(id, "/tmp")).entries.length > 0,
    ],
    [
      "is saved",
      async (id) => await client.createSnapshot(id),
      async () => readdirSync(snapshotsDir()).length > 0,
    ],
  ];
for (const [what, work, begun] of busy) {
  test(`who uses a sandbox that is killed while it ${what} is told, and it is over`, async () => {
    const others = pids();
    const { id } = await client.createSandbox({});
    const told = problemOf(work(id));
    told.catch(() => undefined);
    const probe = async (): Promise<true | undefined> => (await begun(id)) || undefined;
    await poll(`see that it ${what}`, probe, { timeoutMs, intervalMs: 1 });
    await killBeside(others);
    assertGone(await told);
    await over(id);
    assert.deepEqual(readdirSync(snapshotsDir()), []);
  });
}

test("a sandbox that is killed while nobody uses it is over, and who comes is told", async () => {
  const others = pids();
  const { id } = await client.createSandbox({});
  await killBeside(others);
  await over(id);
});

test("a copy that is killed as it is woken is refused, and the next one is made", async () => {
  const { id } = await client.createSandbox({});
  await client.runCommand(id, { command: "head -c 100M /dev/zero >/tmp/zeros" });
  const snapshot = (await client.createSnapshot(id)).id;
  const others = pids();
  const told = problemOf(client.createSandbox({ snapshot }));
  await killBeside(others);
  const { status, code, detail } = await told;
  assert.deepEqual([status, code], [500, "runtime_failed"], detail);
  const copy = await client.createSandbox({ snapshot });
  for (const each of [id, copy.id]) await client.removeSandbox(each);
  await client.removeSnapshot(snapshot);
});

test("nothing is left of all that was killed", async () => {
  await answers();
  await nothingLeft(server.config.stateDir);
});

function snapshotsDir(): string {
  return join(server.config.dataDir, "snapshots");
}

function assertGone({ status, code, detail }: Problem): void {
  assert.ok(
    ["unavailable", "runtime_failed", "not_found"].includes(code),
    `${status} ${code} ${detail}`,
  );
}

/** Waits until it is on record that it has ended, and is told so. */
async function over(id: string): Promise<void> {
  const probe = async (): Promise<string | undefined> => {
    const { state } = await client.getSandbox(id);
    return state === "running" ? undefined : state;
  };
  assert.equal(await poll("see it over", probe, { timeoutMs }), "ended");
  const problem = await problemOf(client.runCommand(id, { command: "true" }));
  assert.equal(problem.status, 404);
}

/** A body that never ends. */
async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) {
    yield Buffer.alloc(65_536);
    await setImmediate();
  }
}
