import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Exposition } from "../../../api/cli/top/exposition.ts";
import type { Figures } from "../../../api/cli/top/figures.ts";
import { poll } from "../../../runtime/deadline.ts";
import { problemOf } from "../../support/problem.ts";
import { startTestServer } from "../../support/server.ts";
import { type OnTerminal, runlet, runletOnTerminal } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client, url } = server;
const source = "export const handler = (event) => { if (event.fail) throw new Error('no'); };";
await client.deploy("busy", { runtime: "node", isolation: "reuse", code: { source } });
const box = await client.sandboxes.open();

async function shown(terminal: OnTerminal, wanted: RegExp): Promise<void> {
  const probe = (): true | undefined => wanted.test(terminal.screen()) || undefined;
  await poll(`see ${wanted.source}`, probe, { timeoutMs: 30_000 });
}

/** Figures of a second, if that has had good and bad calls. */
async function figuresOfBoth(): Promise<Figures | undefined> {
  const ended = await runlet(["top", "--once", "--json"], { url });
  assert.equal(ended.exitCode, 0, ended.stderr);
  const figures = JSON.parse(ended.stdout) as Figures;
  const { errorsPerSecond = 0, invocationsPerSecond = 0 } = figures.server ?? {};
  return errorsPerSecond > 0 && errorsPerSecond < invocationsPerSecond ? figures : undefined;
}

/** Calls, good and bad ones, for as long as the work takes. */
async function whileCalled<T>(work: () => Promise<T>): Promise<T> {
  const state = { isOver: false };
  const call = async (): Promise<void> => {
    while (!state.isOver) {
      await client.invoke("busy", { event: "{}" });
      await problemOf(client.invoke("busy", { event: '{"fail":1}' }));
    }
  };
  const calling = call();
  try {
    return await work();
  } finally {
    state.isOver = true;
    await calling;
  }
}

test("figures once are of a second's calls, the last minute's functions and the open sandboxes", async () => {
  const figures = await whileCalled(
    async () =>
      // A busy machine may take more than that second for the first calls.
      await poll("see good and bad calls", figuresOfBoth, { timeoutMs: 40_000 }),
  );
  const { server: now, functions = [], sandboxes = [] } = figures;
  assert.ok(now);
  assert.partialDeepStrictEqual(now, { openSandboxes: 1, events: { due: 0, dead: 0 } });
  const [busy, ...others] = functions;
  assert.ok(busy);
  assert.deepEqual([busy.name, others], ["busy", []]);
  assert.ok(busy.perSecond > busy.errorsPerSecond);
  assert.ok(Number(busy.p99Us) >= Number(busy.p50Us));
  assert.deepEqual(
    sandboxes.map(({ id, memoryBytes }) => [id, memoryBytes > 0]),
    [[box.id, true]],
  );
});

test("on a terminal they are shown anew each second, as wide as it is, until q or Ctrl-C", async () => {
  for (const key of ["q", "\u0003"]) {
    using terminal = runletOnTerminal(["top"], { url });
    await shown(terminal, /\u001B\[\?1049h[\s\S]*Invocations +0\.0\/s[\s\S]*SANDBOX/);
    await whileCalled(async () => await shown(terminal, /Invocations +(?!0\.0)[\d.]+\/s/));
    await shown(terminal, new RegExp(box.id));
    terminal.resize(20, 4);
    await shown(
      terminal,
      /\u001B\[HRunlet at http:\/\/1.?.?\u001B\[K\r+\n[^\n]{0,30}\n[^\n]{0,30}\n\u001B\[J/,
    );
    terminal.type(key);
    const { exitCode, screen } = await terminal.ended();
    assert.equal(exitCode, 0, screen);
    assert.ok(screen.endsWith("\u001B[?25h\u001B[?1049l"), JSON.stringify(screen.slice(-80)));
  }
});

test("without a terminal they are lines, and a key that may not read all is told what it lacks", async () => {
  await using closed = await startTestServer({ overrides: { auth: "required" } });
  const { url: closedUrl, config } = closed;
  const admin = { RUNLET_API_KEY: "", RUNLET_DATA_DIR: config.dataDir };
  const made = await runlet(["key", "create", "watcher", "--scope", "metrics", "--json"], {
    url: closedUrl,
    env: admin,
  });
  const { key } = JSON.parse(made.stdout) as { key: string };
  const env = { RUNLET_API_KEY: key };
  const { exitCode, stdout, stderr } = await runlet(["top"], { url: closedUrl, env });
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^The key lacks what shows more: invoke, sandbox$/m);
  assert.match(stdout, /^Events +due 0 {2}running 0 {2}dead 0$/m);
  assert.doesNotMatch(stdout, /\u001B/);
});

test("without a server from the start it says so, and ends with 3", async () => {
  using terminal = runletOnTerminal(["top"], {});
  const { exitCode, screen } = await terminal.ended();
  assert.equal(exitCode, 3);
  assert.match(screen, /Cannot reach Runlet/);
});

test("the text format of Prometheus is read with its escapes, and what is no series is not", () => {
  const exposition = new Exposition(
    '# HELP a what\n# TYPE a counter\na{x="1",y="q\\"u\\\\o\\n"} 2\na{x="2"} 3\nb 4.5e3\nc NaN\n',
  );
  assert.deepEqual(exposition.of("a")[0]?.labels, { x: "1", y: 'q"u\\o\n' });
  assert.equal(exposition.sum("a"), 5);
  assert.equal(
    exposition.sum("a", ({ x }) => x === "2"),
    3,
  );
  assert.deepEqual([exposition.sum("b"), exposition.of("d")], [4500, []]);
});
