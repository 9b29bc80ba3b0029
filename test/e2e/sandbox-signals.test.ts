import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { problemOf } from "../support/problem.ts";
import { startTestServer } from "../support/server.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const { id } = await client.createSandbox();

/** Tells the number of each signal that comes. */
const catching = `
import os, signal
def catch(number, _): os.write(1, b"%d\\n" % number)
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(number, catch)
print("ready", flush=True)
while True: signal.pause()
`;

const signals: Readonly<Record<string, number>> = {
  HUP: 1,
  SIGINT: 2,
  QUIT: 3,
  SIGUSR1: 10,
  TERM: 15,
  STKFLT: 16,
  CLD: 17,
  TSTP: 20,
  VTALRM: 26,
  SIGPOLL: 29,
  PWR: 30,
  SIGUNUSED: 31,
  RTMIN: 34,
  "SIGRTMIN+1": 35,
  "RTMIN+30": 64,
  "SIGRTMAX-30": 34,
  "RTMAX-1": 63,
  SIGRTMAX: 64,
};
const noSignals = [
  "NOPE",
  "SIG",
  "9",
  "term",
  "RTMIN+31",
  "RTMAX-31",
  "RTMIN-1",
  "RTMAX+1",
  "TERM+1",
];

suite("signals to a command of a sandbox", () => {
  test("any signal of Linux is sent by its name", async () => {
    const waiting = Object.entries(signals);
    let sent: [name: string, number: number] | undefined;
    let command = "";
    for await (const event of client.streamCommand(id, { args: ["python3", "-c", catching] })) {
      if (event.type === "started") command = event.command.id;
      if (event.type === "exit") assert.equal(event.command.signal, "SIGKILL");
      if (event.type !== "output") continue;
      assert.equal(event.text, sent === undefined ? "ready\n" : `${sent[1]}\n`, sent?.[0]);
      sent = waiting.shift();
      await client.signalCommand(id, command, sent?.[0] ?? "KILL");
    }
    assert.deepEqual(waiting, []);
  });

  for (const signal of ["TERM", "KILL"]) {
    test(`what is sent ${signal} does not see first what it waits for die of it`, async () => {
      const others = "for n in $(seq 50); do sleep 300 & done";
      const spec = { command: `sleep 301 & first=$!; ${others}; echo ready; wait $first; echo on` };
      let command = "";
      let output = "";
      for await (const event of client.streamCommand(id, spec)) {
        if (event.type === "started") command = event.command.id;
        if (event.type === "exit") assert.equal(event.command.signal, `SIG${signal}`);
        if (event.type !== "output") continue;
        output += event.text;
        await client.signalCommand(id, command, signal);
      }
      assert.equal(output, "ready\n");
    });
  }

  test("a name that is no signal's is refused", async () => {
    const args = { args: ["sleep", "60"] };
    const { id: command } = await client.startCommand(id, args);
    for (const name of noSignals) {
      const problem = await problemOf(client.signalCommand(id, command, name));
      assert.equal(problem.code, "invalid_argument", name);
    }
    assert.equal((await client.command(id, command)).endedAtUs, undefined);
    await client.signalCommand(id, command, "KILL");
  });
});
