import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import type { CommandEvent, CommandSpecInput } from "../../api/schema/sandbox-command.ts";
import type { SandboxStats } from "../../api/schema/sandbox.ts";
import { poll } from "../../runtime/deadline.ts";
import { problemOf } from "../support/problem.ts";
import { startTestServer } from "../support/server.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const { id } = await client.createSandbox({ env: { GREETING: "hello" } });
await client.writeFile(id, "/tmp/garbage", "garbage", { mode: "755" });
await client.writeFile(id, "/tmp/lost", "#!/no/such/interpreter\n", { mode: "755" });

async function text(spec: CommandSpecInput): Promise<string> {
  return (await client.runCommand(id, spec)).stdout.text;
}

async function eventsOf(events: AsyncIterable<CommandEvent>): Promise<CommandEvent[]> {
  const all: CommandEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

function outputOf(events: readonly CommandEvent[]): string {
  return events.map((event) => (event.type === "output" ? event.text : "")).join("");
}

async function isSleeping(): Promise<true | undefined> {
  return (await text({ command: "pgrep -fx 'sleep 300' || true" })) === "" ? undefined : true;
}

async function hasNoZombie(): Promise<true | undefined> {
  const count = await text({ command: "ps -eo stat= | grep -c Z || true", user: "root" });
  return count === "0\n" ? true : undefined;
}

async function sampled(): Promise<SandboxStats | undefined> {
  const stats = await client.sandboxStats(id);
  return stats.series.length > 0 ? stats : undefined;
}

suite("commands of a sandbox", () => {
  const ends: [string, { exitCode: number; signal?: string; reason: string }][] = [
    ["true", { exitCode: 0, reason: "exited" }],
    ["exit 7", { exitCode: 7, reason: "exited" }],
    ["kill -TERM $$", { exitCode: 143, signal: "SIGTERM", reason: "signaled" }],
    ["kill -PIPE $$", { exitCode: 141, signal: "SIGPIPE", reason: "signaled" }],
    ["kill -KILL $$", { exitCode: 137, signal: "SIGKILL", reason: "signaled" }],
    ["kill -34 $$", { exitCode: 162, signal: "SIGRTMIN", reason: "signaled" }],
    ["kill -49 $$", { exitCode: 177, signal: "SIGRTMIN+15", reason: "signaled" }],
    ["kill -50 $$", { exitCode: 178, signal: "SIGRTMAX-14", reason: "signaled" }],
    ["kill -64 $$", { exitCode: 192, signal: "SIGRTMAX", reason: "signaled" }],
  ];
  for (const [command, expected] of ends) {
    test(`the end of \`${command}\` is told and on record`, async () => {
      const result = await client.runCommand(id, { command });
      const { exitCode, signal, reason } = await client.command(id, result.id);
      assert.deepEqual({ exitCode, ...(signal !== undefined && { signal }), reason }, expected);
      assert.equal(result.exitCode, expected.exitCode);
    });
  }

  test("both streams, the environment, the directory and the user are as asked", async () => {
    const result = await client.runCommand(id, {
      command: "echo $GREETING $MORE; pwd; id -un; echo oops >&2",
      env: { MORE: "there" },
      cwd: "/tmp",
    });
    assert.equal(result.stdout.text, "hello there\n/tmp\nrunlet\n");
    assert.equal(result.stderr.text, "oops\n");
    assert.equal(await text({ command: "id -u; pwd", user: "root" }), "0\n/home/runlet\n");
  });

  test("a user's command has no capability, and cannot end the agent", async () => {
    const command = "grep CapEff /proc/self/status; kill -KILL 1 2>&1; kill -KILL -1; echo alive";
    const output = await text({ args: ["sh", "-c", command] });
    assert.match(output, /^CapEff:\t0+\n/);
    assert.equal(await text({ command: "echo still" }), "still\n");
  });

  const refused: [string, CommandSpecInput, string, RegExp][] = [
    ["a program that is not there", { args: ["nothing"] }, "not_found", /no program nothing/],
    [
      "a directory that is not there",
      { args: ["true"], cwd: "/nowhere" },
      "not_found",
      /\/nowhere/,
    ],
    [
      "a user that nobody knows",
      { args: ["true"], user: "nobody-here" },
      "invalid_argument",
      /no user/,
    ],
    [
      "a file that is no program",
      { args: ["/tmp/garbage"] },
      "invalid_argument",
      /\/tmp\/garbage cannot run: it is neither a binary/,
    ],
    [
      "a script without its interpreter",
      { args: ["/tmp/lost"] },
      "not_found",
      /\/tmp\/lost cannot run: the interpreter/,
    ],
    ["neither command nor args", {}, "invalid_argument", /command or args/],
  ];
  for (const [what, spec, code, detail] of refused) {
    test(`${what} is refused, and nothing is on record`, async () => {
      const before = (await client.commands(id, { limit: 1 })).items[0]?.id;
      const problem = await problemOf(client.runCommand(id, spec));
      assert.equal(problem.code, code);
      assert.match(problem.detail, detail);
      assert.equal((await client.commands(id, { limit: 1 })).items[0]?.id, before);
    });
  }

  test("output past its bound is cut with a mark, and the command is not held up", async () => {
    const { stdout } = await client.runCommand(id, {
      command: "yes | head -c 3000000",
      outputBytes: 1000,
    });
    assert.equal(stdout.text.length, 1000);
    assert.equal(stdout.truncated, true);
  });

  test("a stream tells of the start, of output as it comes, and of the end", async () => {
    const events = client.streamCommand(id, {
      command: "echo one; read line; echo $line",
      hasStdin: true,
    });
    const seen: CommandEvent[] = [];
    for await (const event of events) {
      seen.push(event);
      if (event.type !== "output" || event.text !== "one\n") continue;
      const started = seen[0];
      assert.ok(started?.type === "started");
      await client.writeInput(id, started.command.id, "two\n");
    }
    assert.equal(outputOf(seen), "one\ntwo\n");
    const last = seen.at(-1);
    assert.ok(last?.type === "exit");
    assert.equal(last.command.exitCode, 0);
  });

  test("a client that goes away kills nothing unless it asked for that", async () => {
    for (const killOnDisconnect of [false, true]) {
      const stream = client.streamCommand(id, { command: "sleep 60", killOnDisconnect });
      const started = (await stream.next()).value as CommandEvent;
      assert.ok(started.type === "started");
      await stream.return(undefined);
      const command = started.command.id;
      if (killOnDisconnect) {
        const ended = async (): Promise<true | undefined> =>
          (await client.command(id, command)).signal === "SIGKILL" ? true : undefined;
        await poll("see the command end", ended, { timeoutMs: 10_000 });
      } else {
        assert.equal((await client.command(id, command)).endedAtUs, undefined);
        await client.signalCommand(id, command, "TERM");
      }
    }
  });

  test("a command in the background outlives its request, and is followed from its start", async () => {
    const { id: command } = await client.startCommand(id, {
      command: "echo begun; sleep 0.2; echo done; exit 4",
    });
    const events = await eventsOf(client.followCommand(id, command));
    assert.equal(outputOf(events), "begun\ndone\n");
    const again = await eventsOf(client.followCommand(id, command));
    assert.equal(outputOf(again), "begun\ndone\n");
    const last = again.at(-1);
    assert.ok(last?.type === "exit");
    assert.equal(last.command.exitCode, 4);
  });

  test("who comes late to a command that writes much is told how much is gone", async () => {
    const { id: command } = await client.startCommand(id, { command: "yes | head -c 4000000" });
    const ended = async (): Promise<true | undefined> =>
      (await client.command(id, command)).exitCode === 0 ? true : undefined;
    await poll("see it end", ended, { timeoutMs: 20_000 });
    const events = await eventsOf(client.followCommand(id, command));
    const dropped = events.reduce(
      (sum, each) => sum + (each.type === "dropped" ? each.bytes : 0),
      0,
    );
    assert.ok(dropped > 2_500_000, String(dropped));
    assert.equal(outputOf(events).length + dropped, 4_000_000);
  });

  test("a process that writes for ever, and a client that stops reading, hold nobody up", async () => {
    const stream = client.streamCommand(id, { command: "yes", killOnDisconnect: true });
    await stream.next();
    await stream.next();
    for (let round = 0; round < 5; round++)
      assert.equal(await text({ command: "echo quick" }), "quick\n");
    await stream.return(undefined);
  });

  test("a command that leaves behind what writes for ever has ended, and nobody is held up", async () => {
    const result = await client.runCommand(id, { command: "yes & exit 3" });
    assert.equal(result.exitCode, 3);
    assert.equal(await text({ command: "echo quick" }), "quick\n");
    await text({ command: "pkill -x yes", user: "root" });
  });

  test("input is answered once it is taken, and who goes away before holds up nobody", async () => {
    const { id: command } = await client.startCommand(id, {
      command: "while [ ! -e go ]; do sleep 0.05; done; wc -c",
      hasStdin: true,
    });
    const path = `/v1/sandboxes/${id}/commands/${command}/stdin`;
    const leave = new AbortController();
    const body = Buffer.alloc(300_000, "x");
    const left = server.fetch(path, { method: "POST", body, signal: leave.signal });
    const answered = server.fetch(path, { method: "POST", body }).then(({ status }) => status);
    for (let round = 0; round < 5; round++)
      assert.equal(await text({ command: "echo quick" }), "quick\n");
    assert.equal(await Promise.race([left, answered, Promise.resolve("neither")]), "neither");
    leave.abort();
    await assert.rejects(left);
    await client.writeFile(id, "go", "");
    assert.equal(await answered, 204);
    await client.closeInput(id, command);
    const events = await eventsOf(client.followCommand(id, command));
    const takenBytes = Number(outputOf(events));
    assert.ok(takenBytes >= 300_000 && takenBytes <= 600_000, String(takenBytes));
  });

  test("what has ended takes neither signals nor input, whoever has its number now", async () => {
    const { id: command } = await client.runCommand(id, { command: "true" });
    const refusals = [
      client.signalCommand(id, command, "TERM"),
      client.writeInput(id, command, "x"),
      client.resizeTerminal(id, command, { cols: 80, rows: 24 }),
    ];
    for (const refusal of refusals) assert.equal((await problemOf(refusal)).code, "not_found");
    await client.closeInput(id, command);
  });

  test("the output of the last 64 that have ended is kept, and of one before there is the record alone", async () => {
    const run = async (): Promise<string> =>
      (await client.runCommand(id, { command: "echo kept" })).id;
    const [first, second] = [await run(), await run()];
    for (let round = 0; round < 7; round++) await Promise.all(Array.from({ length: 9 }, run));
    // What serves a request, such as the process that packs these files, is no command.
    await new Response(await client.packDirectory(id, "/etc/ssl")).arrayBuffer();
    const { code, detail } = await problemOf(eventsOf(client.followCommand(id, first)));
    assert.equal(code, "not_found");
    assert.match(detail, /has ended, and its output is not kept any more/);
    assert.equal((await client.command(id, first)).exitCode, 0);
    assert.equal(outputOf(await eventsOf(client.followCommand(id, second))), "kept\n");
  });

  test("a command over its time is killed with all of its session, and the sandbox goes on", async () => {
    const result = await client.runCommand(id, {
      command: "(sleep 301; echo late) & sleep 301",
      timeoutMs: 200,
    });
    assert.equal(result.reason, "timeout");
    assert.equal(result.signal, "SIGKILL");
    assert.equal(await text({ command: "pgrep -f 'sleep 30[1]' || true", user: "root" }), "");
  });

  test("a terminal has a size, an echo, job control and an end", async () => {
    const { id: command } = await client.startCommand(id, {
      args: ["bash", "--norc", "-i"],
      env: { PS1: "> " },
      terminal: { cols: 90, rows: 20 },
    });
    const following = eventsOf(client.followCommand(id, command));
    await client.writeInput(id, command, "stty size; sleep 300\r");
    await poll("see it sleep", isSleeping, { timeoutMs: 10_000 });
    await client.resizeTerminal(id, command, { cols: 120, rows: 40 });
    await client.writeInput(id, command, "\u0003");
    await client.writeInput(id, command, "stty size; exit 5\r");
    const events = await following;
    assert.match(outputOf(events), /20 90[\s\S]*40 120/);
    const last = events.at(-1);
    assert.ok(last?.type === "exit");
    assert.equal(last.command.exitCode, 5);
    assert.equal(last.command.hasTerminal, true);
  });

  test("ten terminals at once each have their own end", async () => {
    const codes = Array.from({ length: 10 }, (_, code) => code);
    const results = await Promise.all(
      codes.map(
        async (code) =>
          await client.runCommand(id, {
            command: `exit ${code}`,
            terminal: { cols: 80, rows: 24 },
          }),
      ),
    );
    assert.deepEqual(
      results.map(({ exitCode }) => exitCode),
      codes,
    );
  });

  test("what all of them have used is told now and of late", async () => {
    const { now, series } = await poll("see a sample", sampled, { timeoutMs: 15_000 });
    const all = [...series, now];
    for (const [at, usage] of all.entries()) {
      const before = all[at - 1];
      assert.ok(usage.cpuUs > 0 && usage.memoryBytes > 1_000_000, JSON.stringify(usage));
      if (before === undefined) continue;
      assert.ok(usage.atUs > before.atUs && usage.cpuUs >= before.cpuUs, JSON.stringify(all));
    }
  });

  test("orphans are reaped", async () => {
    await client.runCommand(id, { command: "for i in 1 2 3 4 5; do (sleep 0.05 &) ; done" });
    await poll("see no zombie", hasNoZombie, { timeoutMs: 10_000 });
  });

  test("an orphan that ends while nothing is run is reaped", async () => {
    const pid = (await text({ command: "sleep 0.3 >/dev/null 2>&1 & echo $!" })).trim();
    const isGone = async (): Promise<true | undefined> =>
      (await client.listFiles(id, "/proc")).entries.some(({ path }) => path === pid)
        ? undefined
        : true;
    assert.equal(await isGone(), undefined);
    await poll("see the orphan gone", isGone, { timeoutMs: 10_000 });
  });
});
