import assert from "node:assert/strict";
import test from "node:test";
import { loadMessage } from "./native-guest.ts";
import { SandboxedGuest } from "./sandboxed-guest.ts";

const source = {
  "main.py": "import os\ndef handler(event, context): return dict(event, cwd=os.getcwd())\n",
};
const printing = {
  "main.py": [
    "import sys",
    "def handler(event, context):",
    "    if event: return event",
    '    sys.stdout.write("x" * 1000000)',
    "    sys.exit(7)",
  ].join("\n"),
};

test("python in a sandbox: loads into /tmp/task, answers again and again, and exits with the channel", async () => {
  await using guest = await SandboxedGuest.start("python");
  assert.equal((await guest.receive()).message.type, "hello");
  const { message, body } = loadMessage(source);
  await guest.channel.send(message, body);
  assert.equal((await guest.receive()).message.type, "loaded");
  for (let n = 1; n <= 100; n++) {
    const event = Buffer.from(JSON.stringify({ n }));
    await guest.channel.send({ type: "invoke", id: `inv-${n}`, deadlineAtMs: Date.now() }, event);
    const answer = await guest.receive();
    assert.deepEqual(answer.message, {
      type: "result",
      id: `inv-${n}`,
      contentType: "application/json",
    });
    assert.deepEqual(JSON.parse(answer.body.toString()), { n, cwd: "/tmp/task" });
  }
  guest.channel.close();
  assert.equal(await guest.exitCode(), 0);
});

test("python in a sandbox: large frames pass, and what is printed is not lost at an exit", async () => {
  await using guest = await SandboxedGuest.start("python");
  assert.equal((await guest.receive()).message.type, "hello");
  const { message, body } = loadMessage(printing);
  await guest.channel.send(message, body);
  assert.equal((await guest.receive()).message.type, "loaded");
  const event = Buffer.alloc(5_000_000, "0123456789abcdef!");
  const contentType = "application/octet-stream";
  await guest.channel.send({ type: "invoke", id: "a", contentType, deadlineAtMs: 0 }, event);
  assert.ok((await guest.receive()).body.equals(event));
  await guest.channel.send({ type: "invoke", id: "b", deadlineAtMs: 0 });
  assert.equal(await guest.channel.next(), undefined);
  assert.equal((await guest.output(1_000_000)).length, 1_000_000);
  assert.equal(await guest.exitCode(), 7);
});
