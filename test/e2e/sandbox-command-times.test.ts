import assert from "node:assert/strict";
import { after, test } from "node:test";
import { nowUs } from "../../runtime/clock.ts";
import { poll } from "../../runtime/deadline.ts";
import { startTestServer } from "../support/server.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const { id } = await client.createSandbox();

/** How far the clock inside may be from ours. */
const slackUs = 2_000;

for (const ms of [10, 100]) {
  test(`a command of ${ms} ms has begun and ended on record when it did`, async () => {
    const askedAtUs = nowUs();
    const { startedAtUs, endedAtUs = 0 } = await client.runCommand(id, {
      args: ["sleep", String(ms / 1000)],
    });
    const answeredAtUs = nowUs();
    assert.ok(endedAtUs - startedAtUs >= ms * 1000 - slackUs, `${endedAtUs - startedAtUs} us`);
    assert.ok(askedAtUs <= startedAtUs && endedAtUs <= answeredAtUs);
  });
}

test("a command that is waited for is listed while it runs", async () => {
  const answered = client.runCommand(id, { args: ["sleep", "300"] });
  const running = await poll(
    "see the command listed",
    async () => (await client.commands(id, { state: "running" })).items[0],
    { timeoutMs: 20_000 },
  );
  await client.signalCommand(id, running.id, "KILL");
  assert.equal((await answered).signal, "SIGKILL");
});
