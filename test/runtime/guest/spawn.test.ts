import assert from "node:assert/strict";
import { after, test } from "node:test";
import { TestAgents } from "./test-agents.ts";

const agents = await TestAgents.open();
const agent = await agents.start();
after(async () => {
  await agent[Symbol.asyncDispose]();
  await agents[Symbol.asyncDispose]();
});

const forever = ["sleep", "infinity"];
/** Longer than anybody waits here: what is told before it was told along with something else. */
const neverMs = 600_000;

test("a beginning that may be told late is told by itself once it has waited for so long", async () => {
  const askedAtMs = performance.now();
  const view = await agent.spawn({ args: forever, tellWithinMs: 200 });
  const waitedMs = performance.now() - askedAtMs;
  assert.ok(waitedMs >= 200, `${waitedMs} ms`);
  assert.ok(Date.now() - view.startedAtMs >= 150, "it says when it was, not when it was told");
  await agent.kill(view.pid);
  assert.equal((await view.exit).signal, 9);
});

test("a beginning that may be told late is told at once with the end", async () => {
  const view = await agent.spawn({ args: ["false"], tellWithinMs: neverMs });
  assert.equal((await view.exit).code, 1);
});

test("a beginning that may be told late is told at once with output, which comes behind it", async () => {
  const args = ["sh", "-c", "echo first; exec sleep infinity"];
  const view = await agent.spawn({ args, tellWithinMs: neverMs });
  const piece = await view.next();
  assert.equal(piece !== undefined && "body" in piece && String(piece.body), "first\n");
  await agent.kill(view.pid);
  await view.exit;
});

test("beginnings that may be told late are told at once with the answer to another request", async () => {
  const started = [1, 2].map(
    async () => await agent.spawn({ args: forever, tellWithinMs: neverMs }),
  );
  assert.equal((await agent.files.stat("/tmp")).kind, "directory");
  for (const view of await Promise.all(started)) {
    await agent.kill(view.pid);
    await view.exit;
  }
});

test("of beginnings that may be told late the soonest tells of all", async () => {
  const late = agent.spawn({ args: forever, tellWithinMs: neverMs });
  const soon = agent.spawn({ args: forever, tellWithinMs: 50 });
  for (const view of await Promise.all([late, soon])) {
    await agent.kill(view.pid);
    await view.exit;
  }
});
