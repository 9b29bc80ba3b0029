import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { hasArguments, isStopped } from "../../../runtime/container/proc.ts";
import { poll } from "../../../runtime/deadline.ts";
import type { Agent } from "../../../runtime/guest/agent/agent.ts";
import { TestAgents } from "./test-agents.ts";

const patience = { timeoutMs: 15_000 };
const agents = await TestAgents.open();
after(async () => await agents[Symbol.asyncDispose]());

/** Two looks with nothing asked between them; whether it rests after that. */
async function isAtRest(agent: Agent): Promise<boolean> {
  return (await agent.rest()) || (await agent.rest());
}

async function untilAtRest(agent: Agent): Promise<void> {
  const atRest = async (): Promise<true | undefined> => (await isAtRest(agent)) || undefined;
  await poll("see the sandbox rest", atRest, patience);
}

/** Waits until all of runsc is stopped; answers its processes. */
async function stopped(agent: Agent): Promise<number[]> {
  const runsc = agent.init.processes().filter(hasArguments);
  const areStopped = (): true | undefined => runsc.every(isStopped) || undefined;
  await poll("see all of runsc stopped", areStopped, patience);
  return runsc;
}

test("a sandbox that is asked for nothing stands still until it is asked for something", async () => {
  await using agent = await agents.start();
  assert.equal(await agent.rest(), false, "it was set up since the last look");
  assert.equal(await agent.rest(), true);
  const runsc = await stopped(agent);
  assert.equal(agent.isFrozen, false);
  const entries = await Promise.all(Array.from({ length: 20 }, () => agent.files.stat("/tmp")));
  assert.ok(entries.every(({ kind }) => kind === "directory"));
  assert.ok(!runsc.some(isStopped));
  assert.equal(await agent.rest(), false, "it was asked for something since");
  assert.equal(await agent.rest(), true);
});

test("a sandbox that is asked for something while it comes to a standstill goes on", async () => {
  await using agent = await agents.start();
  for (let round = 0; round < 100; round++) {
    await untilAtRest(agent);
    await sleep(round % 7);
    if (round % 2 === 0) assert.equal((await agent.files.stat("/tmp")).kind, "directory");
    else assert.equal((await (await agent.spawn({ args: ["true"] })).exit).code, 0);
  }
});

test("a sandbox that has just done what took long does not rest before the next look but one", async () => {
  await using agent = await agents.start();
  const view = await agent.spawn({ args: ["sh", "-c", "read line"], stdin: true });
  for (let looks = 3; looks > 0; looks--) assert.equal(await agent.rest(), false);
  view.endInput();
  await view.exit;
  assert.equal(await agent.rest(), false);
  await untilAtRest(agent);
});

const occupations: [string, (agent: Agent) => Promise<unknown>][] = [
  ["runs a command", async (agent) => await agent.spawn({ args: ["sleep", "600"] })],
  [
    "runs a command that nobody looks at",
    async (agent) => (await agent.spawn({ args: ["sleep", "600"] })).detach(),
  ],
  [
    "runs what a command has left behind",
    async (agent) =>
      await (
        await agent.spawn({ args: ["sh", "-c", "sleep 600 >/dev/null 2>&1 &"] })
      ).exit,
  ],
  ["is frozen", (agent) => Promise.resolve(agent.freeze())],
];

for (const [what, occupy] of occupations) {
  test(`a sandbox that ${what} does not rest`, async () => {
    await using agent = await agents.start();
    await occupy(agent);
    for (let looks = 3; looks > 0; looks--) assert.equal(await agent.rest(), false);
  });
}

test("a sandbox rests once what it has run has ended", async () => {
  await using agent = await agents.start();
  const view = await agent.spawn({ args: ["sh", "-c", "sleep 0.2 >/dev/null 2>&1 &"] });
  await view.exit;
  await untilAtRest(agent);
});

test("a sandbox that is frozen while it rests stays so when it is asked, until it is thawed", async () => {
  await using agent = await agents.start();
  await untilAtRest(agent);
  const runsc = await stopped(agent);
  agent.freeze();
  const asked = agent.files.stat("/tmp");
  assert.ok(runsc.every(isStopped));
  assert.equal(agent.isFrozen, true);
  agent.thaw();
  assert.equal((await asked).kind, "directory");
});

test("a sandbox that rests is saved, and goes on", async () => {
  await using agent = await agents.start();
  await untilAtRest(agent);
  await agent.save(agents.file("rested"));
  assert.equal(agent.isFrozen, false);
  assert.equal((await agent.files.stat("/tmp")).kind, "directory");
  await untilAtRest(agent);
});
