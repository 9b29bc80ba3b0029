import assert from "node:assert/strict";
import { after, test } from "node:test";
import { poll } from "../../../runtime/deadline.ts";
import { Agent, type SpawnOptions } from "../../../runtime/guest/agent/agent.ts";
import { TestAgents } from "./test-agents.ts";

const mebibyte = 1024 * 1024;
const patience = { timeoutMs: 15_000 };
const limits = { memoryBytes: 256 * mebibyte, cpus: 1, pids: 256 };
const agents = await TestAgents.open();
after(async () => await agents[Symbol.asyncDispose]());

async function restored(name: string): Promise<Agent> {
  const signal = AbortSignal.timeout(patience.timeoutMs);
  return await Agent.restored(agents.machine, agents.file(name), limits, signal);
}

async function outputOf(agent: Agent, options: SpawnOptions): Promise<string> {
  const view = await agent.spawn(options);
  let text = "";
  for (let piece = await view.next(); piece !== undefined; piece = await view.next()) {
    if ("body" in piece) text += piece.body.toString();
  }
  await view.exit;
  return text;
}

test("a sandbox that is saved while much goes on misses nothing, and its copy goes on without its callers", async () => {
  await using agent = await agents.start();
  const counting = outputOf(agent, { args: ["seq", "1", "400000"] });
  const waiting = await agent.spawn({ args: ["cat"], stdin: true });
  const bound = await agent.spawn({ args: ["sleep", "600"], bound: true });
  const isSaved = Promise.withResolvers<void>();
  const uploading = agent.files.write("half", pieces(isSaved.promise));
  const name = async (): Promise<string | undefined> =>
    (await agent.files.list(".", { depth: 1 })).entries.find(({ path }) => path !== "half")?.path;
  await poll("see the upload begun", name, patience);
  const asked = Promise.all(Array.from({ length: 20 }, async () => await agent.files.stat("/tmp")));
  await agent.save(agents.file("busy"));
  isSaved.resolve();
  await asked;
  assert.deepEqual(await uploading, { sizeBytes: 6 });
  const expected = Array.from({ length: 400_000 }, (_, index) => `${index + 1}\n`).join("");
  assert.ok((await counting) === expected);

  await using copy = await restored("busy");
  const left = async (): Promise<true | undefined> =>
    (await copy.files.list(".", { depth: 1 })).entries.length === 0 || undefined;
  await poll("see the half file gone", left, patience);
  const { pid } = waiting;
  const pids = async (): Promise<number[]> => (await copy.processes()).map((each) => each.pid);
  assert.ok((await pids()).includes(pid));
  assert.ok(!(await pids()).includes(bound.pid));
  const view = await copy.attach(pid);
  await copy.writeInput(pid, Buffer.from("again"));
  await copy.closeInput(pid);
  const piece = await view.next();
  assert.equal(piece !== undefined && "body" in piece && piece.body.toString(), "again");
  assert.equal((await view.exit).code, 0);
  assert.equal(await outputOf(copy, { args: ["pgrep", "-x", "sleep"] }), "");
  assert.ok((await agent.processes()).some((each) => each.pid === pid));
});

test("one that is frozen is saved, stays frozen, and its copy runs", async () => {
  await using agent = await agents.start();
  agent.freeze();
  await agent.save(agents.file("frozen"));
  assert.equal(agent.isFrozen, true);
  agent.thaw();
  assert.equal((await agent.files.stat("/tmp")).kind, "directory");
  await using copy = await restored("frozen");
  assert.equal(copy.isFrozen, false);
  const saving = copy.save(agents.file("copied"));
  copy.freeze();
  await saving;
  assert.equal(copy.isFrozen, true);
  copy.thaw();
  await using second = await restored("copied");
  assert.equal(await outputOf(second, { args: ["echo", "here"] }), "here\n");
});

test("an agent that dies in the middle of a save fails it, and leaves nothing of it", async () => {
  await using agent = await agents.start();
  const failing = assert.rejects(agent.save(agents.file("lost")));
  await agent.init.terminate("cancelled");
  await failing;
  await assert.rejects(restored("lost"), { code: "not_found" });
});

async function* pieces(rest: Promise<void>): AsyncGenerator<Uint8Array> {
  yield Buffer.from("one");
  await rest;
  yield Buffer.from("two");
}
