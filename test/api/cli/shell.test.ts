import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { poll } from "../../../runtime/deadline.ts";
import { startTestServer } from "../../support/server.ts";
import { type OnTerminal, runlet, runletOnTerminal } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client, url } = server;
const box = await client.sandboxes.open();

/** With the bell of a line that was given up. */
const prompt = /[>$#] \u0007*$/;

async function shown(terminal: OnTerminal, wanted: RegExp): Promise<RegExpExecArray> {
  const probe = (): RegExpExecArray | undefined => wanted.exec(terminal.screen()) ?? undefined;
  return await poll(`see ${wanted.source}`, probe, { timeoutMs: 30_000 });
}

test("a shell is typed into, resized with its window and interrupted, and its exit code is ours", async () => {
  using terminal = runletOnTerminal(["shell", box.id, "-e", "PS1=> "], { url });
  await shown(terminal, prompt);
  // The program says itself that it runs: a shell that is interrupted while it makes one loses sight of it.
  terminal.type("stty size; sh -c 'echo sle\"\"eps; exec sleep 300'\r");
  await shown(terminal, /24 200[\s\S]*sleeps/);
  terminal.resize(100, 30);
  terminal.type("\u0003");
  await shown(terminal, new RegExp(`sleeps[\\s\\S]*${prompt.source}`));
  let asked = 0;
  const resized = async (): Promise<true | undefined> => {
    terminal.type(`stty size; echo th''at-${++asked}\r`);
    await shown(terminal, new RegExp(`that-${asked}[\\s\\S]*${prompt.source}`));
    return terminal.screen().includes("30 100") || undefined;
  };
  await poll("see it resized", resized, { timeoutMs: 20_000 });
  terminal.type("exit 7\r");
  const { exitCode, screen } = await terminal.ended();
  assert.equal(exitCode, 7, screen);
});

test("a terminal that was left is found again", async () => {
  const left = await box.terminal.open({ command: "echo be''gun; read line; exit 4" });
  left[Symbol.dispose]();
  using terminal = runletOnTerminal(["shell", box.id, "--attach", left.commandId], { url });
  await shown(terminal, /begun/);
  terminal.type("on\r");
  assert.equal((await terminal.ended()).exitCode, 4);
});

test("a shell without a terminal is refused", async () => {
  const ended = await runlet(["shell", box.id], { url });
  assert.match(ended.stderr, /expected a terminal; `runlet exec` needs none/);
});

test("a forwarded port is a port inside, and says where nobody listens", async () => {
  await box.commands.start({
    args: [
      "python3",
      "-c",
      "import socketserver as s\nclass H(s.StreamRequestHandler):\n def handle(self): self.wfile.write(self.rfile.read().upper())\ns.TCPServer(('127.0.0.1', 8000), H).serve_forever()",
    ],
  });
  using forward = runletOnTerminal(["forward", box.id, "8000:0", "9999:0"], { url });
  const [, port] = await shown(forward, /127\.0\.0\.1:(\d+) -> port 8000/);
  const [, nobody] = await shown(forward, /127\.0\.0\.1:(\d+) -> port 9999/);
  const answered = async (): Promise<string | undefined> => {
    const socket = connect({ host: "127.0.0.1", port: Number(port), allowHalfOpen: true });
    socket.end("hello");
    return (await text(socket).catch(() => "")) || undefined;
  };
  assert.equal(
    await poll("be answered", answered, { timeoutMs: 20_000, intervalMs: 100 }),
    "HELLO",
  );
  const refused = connect(Number(nobody), "127.0.0.1");
  await once(refused.resume(), "close");
  await shown(forward, /nobody listens/);
  forward.type("\u0003");
  assert.equal((await forward.ended()).exitCode, 0);
});
