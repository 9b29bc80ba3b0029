import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type { Socket } from "node:net";
import { after, suite, test } from "node:test";
import { WebSocket } from "ws";
import type { Terminal } from "../../api/client/terminal.ts";
import type { SandboxCommand } from "../../api/schema/sandbox-command.ts";
import { poll, within } from "../../runtime/deadline.ts";
import { problemOf } from "../support/problem.ts";
import { startTestServer } from "../support/server.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client, url } = server;
const box = await client.sandboxes.open({ autoResume: true, idleTimeoutMs: 60_000 });
const bash = { args: ["bash", "--norc", "-i"], env: { PS1: "> " } };

/** What is on a terminal so far, and how it ends. */
class Look {
  screen = "";
  readonly #ended: Promise<SandboxCommand>;

  constructor(terminal: Terminal) {
    this.#ended = this.#read(terminal);
    this.#ended.catch(() => undefined);
  }

  async shows(text: string, since = ""): Promise<void> {
    const probe = (): true | undefined =>
      this.screen.slice(this.screen.indexOf(since)).includes(text) || undefined;
    await poll(`see ${text}`, probe, { timeoutMs: 20_000 });
  }

  /** How its command ends. */
  async end(): Promise<SandboxCommand> {
    return await within(this.#ended, "see it end", 20_000);
  }

  async #read(terminal: Terminal): Promise<SandboxCommand> {
    for await (const event of terminal) {
      if (event.type === "output") this.screen += Buffer.from(event.body).toString();
      if (event.type === "exit") return event.command;
    }
    throw new Error("it is gone");
  }
}

suite("a terminal over a WebSocket", () => {
  test("is typed into, resized and interrupted, and tells how it ends", async () => {
    using terminal = await box.terminal.open({ ...bash, terminal: { cols: 90, rows: 20 } });
    const look = new Look(terminal);
    // It tells of itself when it is in the foreground: bash misses an interruption before.
    await terminal.write("stty size; sh -c 'echo sleeps; exec sleep 300'\r");
    await look.shows("\r\nsleeps");
    await terminal.resize({ cols: 120, rows: 40 });
    await terminal.write("\u0003");
    await look.shows("> ", "\r\nsleeps");
    await terminal.write("stty size; exit 5\r");
    const { exitCode, hasTerminal } = await look.end();
    assert.deepEqual([exitCode, hasTerminal], [5, true]);
    assert.match(look.screen, /20 90[\s\S]*40 120/);
  });

  test("has several viewers, who see the same, and is there for one who comes back", async () => {
    const first = await box.terminal.open(bash);
    using second = await box.terminal.attach(first.commandId);
    const looks = [new Look(first), new Look(second)];
    await second.write("echo $((6 * 7))\r");
    await Promise.all(looks.map(async (look) => await look.shows("42")));
    first[Symbol.dispose]();
    await second.write("echo $((7 * 7))\r");
    await looks[1]?.shows("49");
    using again = await box.terminal.attach(first.commandId);
    const look = new Look(again);
    await look.shows("49");
    assert.match(look.screen, /42[\s\S]*49/);
    await again.write("exit\r");
    assert.equal((await look.end()).exitCode, 0);
    assert.equal((await looks[1]?.end())?.exitCode, 0);
  });

  test("goes on when its only viewer drops the connection", async () => {
    const terminal = await box.terminal.open(bash);
    await new Look(terminal).shows("> ");
    terminal[Symbol.dispose]();
    await box.commands.write(terminal.commandId, "exit 3\r");
    using again = await box.terminal.attach(terminal.commandId);
    assert.equal((await new Look(again).end()).exitCode, 3);
  });

  test("tells how it ends to those who come as it ends", async () => {
    for (let round = 0; round < 30; round++) {
      using terminal = await box.terminal.open({ command: "read line; exit 3" });
      const { commandId } = terminal;
      await box.commands.write(commandId, "\r");
      const comers = Array.from({ length: 3 }, async () => {
        using again = await box.terminal.attach(commandId);
        return (await new Look(again).end()).exitCode;
      });
      assert.deepEqual(await Promise.all(comers), [3, 3, 3]);
    }
  });

  test("is one of ten, each with its own end", async () => {
    const codes = Array.from({ length: 10 }, (_, code) => code);
    const ends = codes.map(async (code) => {
      using terminal = await box.terminal.open({ command: "read code; exit $code" });
      await terminal.write(`${code}\r`);
      return (await new Look(terminal).end()).exitCode;
    });
    assert.deepEqual(await Promise.all(ends), codes);
  });

  test("that writes without an end holds up nobody, though its viewer stops reading", async () => {
    using terminal = await box.terminal.open({ command: "yes" });
    const events = terminal[Symbol.asyncIterator]();
    await events.next();
    assert.equal((await box.commands.run({ command: "echo quick" })).stdout.text, "quick\n");
    await box.commands.signal(terminal.commandId, "KILL");
  });

  test("takes bytes as they are", async () => {
    using terminal = await box.terminal.open({
      command: "stty raw -echo; echo ready; head -c 3 | od -An -tx1",
    });
    const look = new Look(terminal);
    await look.shows("ready");
    await terminal.write(new Uint8Array([0xff, 0x00, 0x80]));
    await look.end();
    assert.match(look.screen, /ff 00 80/);
  });

  for (const [what, message] of [
    ["no JSON", "{"],
    ["of no such type", '{"type":"kill"}'],
    ["of no such size", '{"type":"resize","cols":0,"rows":1}'],
  ] as const) {
    test(`closes at a message that is ${what}`, async () => {
      const { id } = await box.commands.start({
        command: "read line",
        terminal: { cols: 80, rows: 24 },
      });
      const path = `/v1/sandboxes/${box.id}/commands/${id}/terminal`;
      const socket = new WebSocket(url.replace("http", "ws") + path);
      await once(socket, "open");
      socket.send(message);
      const [code] = (await within(once(socket, "close"), "see it close", 10_000)) as [number];
      assert.equal(code, 1008);
    });
  }

  test("holds back who sends what nobody takes, empty messages too", async () => {
    const connections: Socket[] = [];
    const onConnection = (message: unknown): void =>
      void connections.push((message as { socket: Socket }).socket);
    subscribe("net.server.socket", onConnection);
    const { id } = await box.commands.start({
      command: "stty raw -echo; sleep 300",
      terminal: { cols: 80, rows: 24 },
    });
    const path = `/v1/sandboxes/${box.id}/commands/${id}/terminal`;
    const socket = new WebSocket(url.replace("http", "ws") + path);
    await once(socket, "open");
    unsubscribe("net.server.socket", onConnection);
    // More than a terminal holds.
    socket.send(Buffer.alloc(500_000));
    for (let left = 5000; left > 0; left--) socket.send(Buffer.alloc(0));
    const isHeld = (): true | undefined => connections.some((each) => each.isPaused()) || undefined;
    await poll("see it held back", isHeld, { timeoutMs: 10_000 });
    assert.equal((await box.commands.run({ command: "echo quick" })).stdout.text, "quick\n");
    socket.terminate();
    await box.commands.signal(id, "KILL");
  });

  test("is refused to a command without one, to one that is not there, and to plain HTTP", async () => {
    const { id } = await box.commands.start({ command: "sleep 1" });
    assert.equal((await problemOf(box.terminal.attach(id))).code, "failed_precondition");
    assert.equal((await problemOf(box.terminal.attach(box.id))).code, "not_found");
    const plain = await server.fetch(`/v1/sandboxes/${box.id}/commands/${id}/terminal`);
    assert.equal(plain.status, 400);
  });

  test("that is looked at keeps its sandbox from being idle, and ends with it", async () => {
    const other = await client.sandboxes.open({ idleTimeoutMs: 1000 });
    using terminal = await other.terminal.open(bash);
    const look = new Look(terminal);
    await look.shows("> ");
    const overAtMs = performance.now() + 1500;
    const isOver = (): true | undefined => performance.now() > overAtMs || undefined;
    await poll("see its idle time pass", isOver, { timeoutMs: 5000 });
    assert.equal((await other.get()).state, "running");
    await other.delete();
    await assert.rejects(look.end());
    assert.equal((await other.get()).endReason, "deleted");
  });
});
