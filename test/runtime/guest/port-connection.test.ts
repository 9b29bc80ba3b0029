import assert from "node:assert/strict";
import { type Duplex, duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { suite, test } from "node:test";
import { poll, within } from "../../../runtime/deadline.ts";
import { isRunletError } from "../../../runtime/errors.ts";
import { AgentLink } from "../../../runtime/guest/agent/agent-link.ts";
import { connectPort } from "../../../runtime/guest/agent/port-connection.ts";
import { encodeFrame, FrameDecoder } from "../../../runtime/guest/frame.ts";

const id = 1;
const opened = { type: "event", id, event: {} };
const ended = { type: "event", id, event: { end: true } };
const data = { type: "data", id };
const replied = { type: "reply", id, result: {} };
const windowBytes = 1024 * 1024;

interface Rig extends Disposable {
  readonly link: AgentLink;
  say(header: object, body?: Uint8Array): void;
  /** Types of what the agent is told. */
  readonly heard: string[];
}

function rig(): Rig {
  const [host, agent] = duplexPair();
  const link = new AgentLink(host);
  const heard: string[] = [];
  const decoder = new FrameDecoder();
  agent.on("data", (chunk: Buffer) => {
    decoder.push(chunk);
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      heard.push(String(frame.header["type"]));
    }
  });
  return {
    link,
    heard,
    say: (header, body) => agent.write(Buffer.concat(encodeFrame(header, body))),
    [Symbol.dispose]: () => link.close(),
  };
}

async function closeOf(connection: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  connection.once("close", resolve);
  await promise;
}

async function open(one: Rig): Promise<Duplex> {
  const connecting = connectPort(one.link, 80);
  one.say(opened);
  return await connecting;
}

suite("a connection to a port", () => {
  const refused: [string, object, string][] = [
    ["that is refused", { type: "fail", id, code: "ECONNREFUSED", message: "no" }, "port_failed"],
    ["that is answered before it stood", replied, "protocol_violation"],
    ["that ends before it stood", ended, "protocol_violation"],
    ["of which bytes come before it stood", data, "protocol_violation"],
  ];
  for (const [what, said, code] of refused) {
    test(`${what} is told to who asked for it`, async () => {
      using one = rig();
      const connecting = connectPort(one.link, 80);
      one.say(said, said === data ? Buffer.from("a") : undefined);
      await assert.rejects(within(connecting, "be told", 5000), (error) =>
        isRunletError(error, code as "port_failed"),
      );
      assert.equal(one.link.openCalls, 0);
    });
  }

  test("that nobody accepts is given up with its signal, and the agent is told", async () => {
    using one = rig();
    await assert.rejects(connectPort(one.link, 80, { signal: AbortSignal.timeout(20) }), {
      name: "TimeoutError",
    });
    await poll("hear it cancelled", () => one.heard.includes("cancel") || undefined, {
      timeoutMs: 5000,
    });
    one.say(opened);
    assert.equal(one.link.isClosed, false);
  });

  test("bytes behind its end end it, and nothing else", async () => {
    using one = rig();
    const connection = await open(one);
    one.say(ended);
    one.say(data, Buffer.from("late"));
    connection.resume();
    await within(closeOf(connection), "see it close", 5000);
    assert.ok(isRunletError(connection.errored, "protocol_violation"));
    assert.equal(one.link.isClosed, false);
  });

  test("a second end means nothing, and what came before a failure is read", async () => {
    using one = rig();
    const connection = await open(one);
    one.say(data, Buffer.from("all of it"));
    one.say(ended);
    one.say(ended);
    one.say({ type: "fail", id, code: "EPIPE", message: "broken pipe" });
    assert.equal(await text(connection), "all of it");
  });

  test("a sandbox that ends breaks it, though nobody listens for that", async () => {
    using one = rig();
    const connection = await open(one);
    one.link.close();
    await within(closeOf(connection), "see it close", 5000);
    assert.ok(isRunletError(connection.errored, "unavailable"));
    const wrote = Promise.withResolvers<unknown>();
    connection.write("late", wrote.resolve);
    assert.ok((await wrote.promise) instanceof Error);
  });

  test("a reader that stops lets no more come than one window, and told is what moves", async () => {
    using one = rig();
    let moved = 0;
    const connecting = connectPort(one.link, 80, { onMoved: () => moved++ });
    one.say(opened);
    const connection = await connecting;
    const piece = Buffer.alloc(200 * 1024);
    for (let at = 0; at < 5; at++) one.say(data, piece);
    await poll("see them move", () => moved === 5 || undefined, { timeoutMs: 5000 });
    assert.ok(connection.readableLength <= windowBytes);
    const credits = (): number => one.heard.filter((type) => type === "credit").length;
    assert.ok(credits() <= 1, String(credits()));
    connection.resume();
    await poll("see them taken", () => credits() === 2 || undefined, { timeoutMs: 5000 });
  });
});
