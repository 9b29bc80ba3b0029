import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, suite, test } from "node:test";
import { poll, within } from "../../runtime/deadline.ts";
import type { SandboxView } from "../../api/schema/sandbox.ts";
import { problemOf } from "../support/problem.ts";
import { startTestServer } from "../support/server.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const box = await client.sandboxes.open({ memoryBytes: 256 * 1024 * 1024, timeoutMs: 120_000 });

const listening = `
import socket
server = socket.create_server(("127.0.0.1", 8000))
print("listens", flush=True)
link, _ = server.accept()
link.sendall(b"hello")
link.recv(1)
`;

/** Something that goes on when the agent dies: `begun` once it does, and what its caller is told in the end. */
interface Ongoing {
  readonly begun: Promise<unknown>;
  readonly told: Promise<unknown>;
}

/** Of what is told as events: the last of them, as `pick` has it. */
function followed<T>(events: AsyncIterable<T>, pick: (event: T) => unknown): Ongoing {
  const { promise, resolve } = Promise.withResolvers<void>();
  const told = (async (): Promise<unknown> => {
    let last: unknown;
    for await (const event of events) {
      last = pick(event);
      resolve();
    }
    return last;
  })();
  return { begun: promise, told };
}

/** A body that begins and then says nothing more. */
function stalled(): { body: AsyncGenerator<Uint8Array>; begun: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = (async function* () {
    yield Buffer.alloc(100_000);
    resolve();
    await new Promise(() => undefined);
  })();
  return { body, begun: promise };
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return (await problemOf(call)).code;
}

const callers: Record<string, { start: () => Ongoing | Promise<Ongoing>; told: unknown }> = {
  "waits for a command": {
    start: () => ({
      begun: poll("see it run", async () => (await box.commands.list()).items[0], {
        timeoutMs: 10_000,
      }),
      told: codeOf(box.commands.run({ command: "sleep 300" })),
    }),
    told: "unavailable",
  },
  "streams a command": {
    start: () => followed(box.commands.stream({ command: "sleep 300" }), ({ type }) => type),
    told: "gone",
  },
  "watches a directory": {
    start: () => followed(box.files.watch("/tmp"), ({ type }) => type),
    told: "watching",
  },
  "looks at a terminal": {
    start: async () =>
      followed(await box.terminal.open({ command: "echo hello; sleep 300" }), ({ type }) => type),
    told: "gone",
  },
  "uploads a file and has stalled": {
    start: () => {
      const { body, begun } = stalled();
      return { begun, told: codeOf(box.files.write("upload", body)) };
    },
    told: "unavailable",
  },
  "uploads a directory and has stalled": {
    start: () => {
      const { body, begun } = stalled();
      return { begun, told: codeOf(box.files.unpack("unpacked", body)) };
    },
    told: "unavailable",
  },
  "downloads a file": {
    start: async () => {
      await box.commands.run({ command: "truncate -s 1T endless" });
      const bytes = (await box.files.read("endless")).getReader();
      const told = (async (): Promise<unknown> => {
        while (!(await bytes.read()).done);
        return "whole";
      })().catch(() => "cut short");
      return { begun: Promise.resolve(), told };
    },
    told: "cut short",
  },
  "has a connection to a port": {
    start: async () => {
      const { id } = await box.commands.start({ args: ["python3", "-c", listening] });
      for await (const event of box.commands.follow(id)) if (event.type === "output") break;
      const connection = await box.ports.connect(8000);
      const told = once(connection, "close").then(() => "closed");
      return { begun: once(connection, "data"), told };
    },
    told: "closed",
  },
  "runs a cell": {
    start: async () => {
      const { id } = await box.contexts.open({ language: "python" });
      const cell = box.contexts.stream(id, { code: "import time; time.sleep(300)" });
      return followed(cell, (event) => (event.type === "end" ? event.status : event.type));
    },
    told: "ended",
  },
};

suite("when the agent of a sandbox dies", () => {
  const ongoing = new Map<string, Ongoing>();
  before(async () => {
    for (const [who, { start }] of Object.entries(callers)) {
      const started = await start();
      started.told.catch(() => undefined);
      ongoing.set(who, started);
      await within(started.begun, `see that one ${who}`, 20_000);
    }
    await box.commands.run({ command: "kill -SEGV 1", user: "root" }).catch(() => undefined);
  });

  for (const [who, { told }] of Object.entries(callers)) {
    test(`one who ${who} is told at once`, async () => {
      const started = ongoing.get(who);
      assert.ok(started !== undefined);
      assert.equal(await within(started.told, "be told", 5000), told);
    });
  }

  test("it is over, and so are its commands", async () => {
    const isOver = async (): Promise<true | undefined> =>
      (await box.get()).state === "ended" ? true : undefined;
    await poll("see the sandbox end", isOver, { timeoutMs: 10_000 });
    assert.equal((await box.get()).endReason, "exited");
    const { items } = await box.commands.list({ state: "running" });
    assert.deepEqual(items, []);
  });
});

suite("when root has stopped the agent of a sandbox", { concurrency: true }, () => {
  const spec = { memoryBytes: 128 * 1024 * 1024, timeoutMs: 120_000 };

  test("a command that is over its time ends all the same, and the sandbox with it", async () => {
    const stopped = await client.sandboxes.open(spec);
    const running = stopped.commands.run({ command: "echo begun; sleep 300", timeoutMs: 1500 });
    const streamed = followed(
      stopped.commands.stream({ command: "sleep 300", timeoutMs: 1500 }),
      (event) => (event.type === "exit" ? event.command.reason : event.type),
    );
    await streamed.begun;
    await stopped.commands.start({ command: "kill -STOP 1", user: "root" });
    const { id, reason, signal, exitCode, stdout } = await within(running, "see it end", 20_000);
    assert.deepEqual([reason, signal, exitCode], ["timeout", "SIGKILL", 137]);
    assert.equal(stdout.text, "begun\n");
    assert.equal((await stopped.commands.get(id)).reason, "timeout");
    assert.equal(await within(streamed.told, "be told", 5000), "timeout");
    const hasEnded = async (): Promise<SandboxView | undefined> => {
      const view = await stopped.get();
      return view.state === "ended" ? view : undefined;
    };
    const { endReason } = await poll("see the sandbox end", hasEnded, { timeoutMs: 10_000 });
    assert.equal(endReason, "unresponsive");
  });

  test("a command that stops it before a word of its own ends by its time, too", async () => {
    const stopped = await client.sandboxes.open(spec);
    const running = stopped.commands.run({
      command: "kill -STOP 1; sleep 300",
      user: "root",
      timeoutMs: 1500,
    });
    assert.equal((await within(running, "see it end", 20_000)).reason, "timeout");
    assert.deepEqual((await stopped.commands.list({ state: "running" })).items, []);
  });

  test("a sandbox that is paused is not taken for one of those", async () => {
    await using paused = await client.sandboxes.open(spec);
    const running = paused.commands.run({ command: "sleep 300", timeoutMs: 1500 });
    await poll("see it run", async () => (await paused.commands.list()).items[0], {
      timeoutMs: 10_000,
    });
    await paused.pause();
    await assert.rejects(within(running, "see it end", 13_000), { code: "deadline_exceeded" });
    await paused.resume();
    assert.equal((await running).reason, "timeout");
    assert.equal((await paused.get()).state, "running");
  });
});
