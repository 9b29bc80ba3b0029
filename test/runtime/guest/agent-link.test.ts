import assert from "node:assert/strict";
import { Duplex, duplexPair } from "node:stream";
import { suite, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { poll } from "../../../runtime/deadline.ts";
import { isRunletError } from "../../../runtime/errors.ts";
import { AgentLink } from "../../../runtime/guest/agent/agent-link.ts";
import { encodeFrame, FrameDecoder } from "../../../runtime/guest/frame.ts";

const windowBytes = 1024 * 1024;
const what = "ask";

function pair(): { link: AgentLink; agent: Duplex } {
  const [host, agent] = duplexPair();
  return { link: new AgentLink(host), agent };
}

function say(agent: Duplex, header: object, body?: Uint8Array): void {
  agent.write(Buffer.concat(encodeFrame(header, body)));
}

const isViolation = (error: unknown): boolean => isRunletError(error, "protocol_violation");
const isGone = (error: unknown): boolean => isRunletError(error, "unavailable");

suite("the link to an agent", () => {
  test("calls are answered each by its own id, in any order", async () => {
    const { link, agent } = pair();
    using _ = link;
    const [first, second] = [link.open("stat", {}, { what }), link.open("stat", {}, { what })];
    say(agent, { type: "reply", id: second.id, result: { n: 2 } });
    say(agent, { type: "reply", id: first.id, result: { n: 1 } });
    assert.deepEqual(await Promise.all([first.result, second.result]), [{ n: 1 }, { n: 2 }]);
    assert.equal(link.openCalls, 0);
  });

  test("a refusal has the code of its errno, and says what was asked for", async () => {
    const { link, agent } = pair();
    using _ = link;
    const call = link.open("stat", {}, { what: "show a" });
    say(agent, { type: "fail", id: call.id, code: "ENOENT", message: "no such file" });
    await assert.rejects(call.result, {
      code: "not_found",
      message: "Cannot show a: no such file",
    });
  });

  const breaches: [string, object, Uint8Array?][] = [
    ["a message that is none", { type: "nothing" }],
    ["a call that was never opened", { type: "reply", id: 99, result: {} }],
    ["a negative credit", { type: "credit", id: 1, bytes: -1 }],
    ["more credit than there can be", { type: "credit", id: 1, bytes: windowBytes + 1 }],
    ["data that nobody takes", { type: "data", id: 1 }, Buffer.from("a")],
    ["an answer without a result", { type: "reply", id: 1 }],
  ];
  for (const [name, header, body] of breaches) {
    test(`${name} ends the link and all that is open`, async () => {
      const { link, agent } = pair();
      const calls = [link.open("stat", {}, { what }), link.open("stat", {}, { what })];
      say(agent, header, body);
      for (const call of calls) await assert.rejects(call.result, isViolation);
      assert.equal(link.isClosed, true);
      assert.throws(() => link.open("stat", {}, { what }), isViolation);
    });
  }

  test("an agent that sends more than it was allowed ends the link", async () => {
    const { link, agent } = pair();
    const call = link.open("read", {}, { what, onData: () => undefined });
    const chunk = Buffer.alloc(256 * 1024);
    for (let sent = 0; sent <= windowBytes; sent += chunk.length) {
      say(agent, { type: "data", id: call.id }, chunk);
    }
    await assert.rejects(call.result, isViolation);
  });

  test("what crosses the end that the host made of a call means nothing", async () => {
    const { link, agent } = pair();
    using _ = link;
    const call = link.open("read", {}, { what });
    call.cancel();
    await assert.rejects(call.result, (error) => isRunletError(error, "cancelled"));
    say(agent, { type: "data", id: call.id }, Buffer.from("late"));
    say(agent, { type: "reply", id: call.id, result: {} });
    const next = link.open("stat", {}, { what });
    say(agent, { type: "reply", id: next.id, result: {} });
    await next.result;
  });

  test("when the agent goes away, every call is told", async () => {
    const { link, agent } = pair();
    const call = link.open("stat", {}, { what });
    const hello = link.hello;
    agent.end();
    await assert.rejects(call.result, isGone);
    assert.equal(await hello, undefined);
  });

  test("a call sends no more than its window until it hears of it again", async () => {
    const { link, agent } = pair();
    using _ = link;
    const decoder = new FrameDecoder();
    let received = 0;
    agent.on("data", (chunk: Buffer) => {
      decoder.push(chunk);
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
        if (frame.header["type"] === "data") received += frame.body.byteLength;
      }
    });
    const call = link.open("write", {}, { what });
    let isWritten = false;
    const writing = call.write(Buffer.alloc(3 * windowBytes)).then(() => (isWritten = true));
    const isFull = (): true | undefined => (received > windowBytes - 64 * 1024 ? true : undefined);
    await poll("see the window full", isFull, { timeoutMs: 5000 });
    assert.ok(received <= windowBytes);
    assert.equal(isWritten, false);
    say(agent, { type: "reply", id: call.id, result: {} });
    await writing;
  });

  test("what is said in one go is written at once", async () => {
    let writes = 0;
    const count = (done: () => void): void => {
      writes++;
      done();
    };
    const socket = new Duplex({
      read: () => undefined,
      write: (_chunk, _encoding, done) => count(done),
      writev: (_chunks, done) => count(done),
    });
    using link = new AgentLink(socket);
    const call = link.open("write", {}, { what });
    await call.write(Buffer.alloc(60_000));
    call.end();
    await turn();
    assert.equal(writes, 1);
  });

  test("at a standstill the host says nothing, and then all that had waited, in order", async () => {
    const { link, agent } = pair();
    using _ = link;
    const heard = opsOf(agent);
    const resting = link.quiet();
    link.open("stat", {}, { what });
    say(agent, { type: "reply", id: 1, result: {} });
    const standstill = await resting;
    const call = link.open("write", {}, { what });
    const writing = call.write(Buffer.alloc(100));
    assert.deepEqual(heard, ["quiet"]);
    standstill[Symbol.dispose]();
    await writing;
    const all = (): true | undefined => heard.length === 5 || undefined;
    await poll("hear all of it", all, { timeoutMs: 5000 });
    assert.deepEqual(heard, ["quiet", "go", "stat", "write", "data"]);
  });

  test("an agent that does not come to rest in time is told to go on", async () => {
    const { link, agent } = pair();
    using _ = link;
    const heard = opsOf(agent);
    const isLate = { name: "TimeoutError" };
    await assert.rejects(link.quiet(AbortSignal.timeout(20)), isLate);
    say(agent, { type: "reply", id: 1, result: {} });
    const call = link.open("stat", {}, { what });
    say(agent, { type: "reply", id: call.id, result: { n: 1 } });
    assert.deepEqual(await call.result, { n: 1 });
    assert.deepEqual(heard, ["quiet", "go", "stat"]);
  });
});

/** What the agent is told from now on: the operations of calls, and the types of what else there is. */
function opsOf(agent: Duplex): unknown[] {
  const heard: unknown[] = [];
  const decoder = new FrameDecoder();
  agent.on("data", (chunk: Buffer) => {
    decoder.push(chunk);
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      heard.push(frame.header["op"] ?? frame.header["type"]);
    }
  });
  return heard;
}
