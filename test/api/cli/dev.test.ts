import assert from "node:assert/strict";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { after, test } from "node:test";
import { poll } from "../../../runtime/deadline.ts";
import { startTestServer } from "../../support/server.ts";
import { tempDir, type TempDir } from "../../support/temp-dir.ts";
import { type OnTerminal, runlet, runletOnTerminal } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url } = server;

const ctrlC = "\u0003";

test("dev deploys and invokes at each save, shows what goes wrong, and ends at Ctrl-C with 0", async () => {
  await using dir = await project("saved");
  using dev = runletOnTerminal(["dev", "saved"], { url, cwd: dir.path });
  await shows(dev, /saved version 1 deployed in [^]*\{"one":1\}[^]*succeeded .*run /);

  assert.match(dev.screen(), /deployed[^]*said 1[^]*succeeded/);
  await writeFile(dir.file("saved/index.mjs"), code(2));
  await shows(dev, /version 2 deployed[^]*\{"one":2\}[^]*succeeded/);
  assert.equal(dev.screen().match(/said 2/g)?.length, 1, dev.screen());

  // As editors do that write another file and put it in place.
  for (const n of [3, 4]) {
    await writeFile(dir.file("new"), code(n));
    await rename(dir.file("new"), dir.file("saved/index.mjs"));
    await shows(dev, new RegExp(`version ${n} deployed[^]*\\{"one":${n}\\}`));
  }

  await writeFile(dir.file("saved/index.mjs"), "export const handler = (;");
  await shows(dev, /version 5 deployed[^]*failed [^]*error.*SyntaxError[^]*index\.mjs:1/);
  await writeFile(dir.file("saved/runlet.json"), "{");
  await shows(dev, /Cannot read .*runlet\.json/);
  await writeFile(dir.file("saved/runlet.json"), '{"timeoutMs": 0}');
  await shows(dev, /timeoutMs.*\(invalid_argument\)/);
  await rm(dir.file("saved/runlet.json"));
  await writeFile(dir.file("saved/index.mjs"), code(6));
  await shows(dev, /version 6 deployed[^]*\{"one":6\}/);

  dev.type(ctrlC);
  assert.equal((await dev.ended()).exitCode, 0);
});

test("dev sees files in directories that came later, and a new event makes no new version", async () => {
  await using dir = await project("later");
  using dev = runletOnTerminal(["dev", "later"], { url, cwd: dir.path });
  await shows(dev, /version 1 deployed[^]*\{"one":1\}/);
  await mkdir(dir.file("later/lib/deep"), { recursive: true });
  await shows(dev, /version 1 is the same/);
  await writeFile(dir.file("later/lib/deep/data"), "1");
  await shows(dev, /version 2 deployed/);
  await writeFile(dir.file("later/runlet.json"), "{}");
  await writeFile(dir.file("later/event.json"), '{"name": "Ada"}');
  await writeFile(dir.file("later/index.mjs"), "export const handler = (event) => event;");
  await shows(dev, /version \d deployed[^]*\{"name":"Ada"\}/);
  await writeFile(dir.file("later/event.json"), '{"name": "Bob"}');
  await shows(dev, /is the same[^]*\{"name":"Bob"\}/);
});

test("dev takes no notice of node_modules and .git", async () => {
  await using dir = await project("quiet");
  await mkdir(dir.file("quiet/node_modules/p"), { recursive: true });
  using dev = runletOnTerminal(["dev", "quiet", "--no-invoke"], { url, cwd: dir.path });
  await shows(dev, /version 1 deployed/);
  await writeFile(dir.file("quiet/node_modules/p/index.js"), "1");
  await mkdir(dir.file("quiet/.git"));
  await writeFile(dir.file("quiet/.git/HEAD"), "1");
  await writeFile(dir.file("quiet/index.mjs"), code(2));
  await shows(dev, /version 2 deployed/);
  assert.equal(dev.screen().match(/version/g)?.length, 2, dev.screen());
  assert.deepEqual((await server.client.invocations({ function: "quiet" })).items, []);
});

test("dev shows what a function writes as it comes, whoever calls it, and a save while it runs ends it", async () => {
  await using dir = await project("slow");
  await writeFile(
    dir.file("slow/index.mjs"),
    `export const handler = async (by) => {
      console.log("at work for", by);
      await new Promise((resolve) => setTimeout(resolve, 20_000));
    };`,
  );
  using dev = runletOnTerminal(["dev", "slow"], { url, cwd: dir.path });
  await shows(dev, /version 1 deployed/);
  await shows(dev, /at work for \{\}/);
  const other = server.client.invoke("slow", { event: '"another"' }).catch(() => undefined);
  await shows(dev, /at work for another/);
  const ids = await runningOfSlow();
  assert.equal(ids.length, 2);
  await server.client.cancel(ids[0] ?? "");
  await other;
  await writeFile(dir.file("slow/index.mjs"), code(1));
  await shows(dev, /version 2 deployed[^]*\{"one":1\}/);
  const isOver = async (): Promise<true | undefined> =>
    (await runningOfSlow()).length === 0 || undefined;
  await poll("see it end", isOver, { timeoutMs: 20_000 });
});

test("dev --json tells a line of JSON for each thing, with the event of --event", async () => {
  await using dir = await project("lines");
  await writeFile(dir.file("lines/index.mjs"), "export const handler = (event) => event;");
  await writeFile(dir.file("e.json"), "[1]");
  const args = ["dev", "lines", "--json", "--event", "e.json", "--name", "named"];
  using dev = runletOnTerminal(args, { url, cwd: dir.path });
  await shows(dev, /"answer":\[1\][^]*"invoked"[^]*\n/);
  const [deployed, , invoked] = dev
    .screen()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>);
  assert.equal(deployed?.["deployed"]?.["name"], "named");
  assert.equal(invoked?.["invoked"]?.["status"], "succeeded");
});

test("dev without a server says how to start one, and exits with 3", async () => {
  await using dir = await project("alone");
  const { exitCode, stderr } = await runlet(["dev", "alone"], { cwd: dir.path });
  assert.equal(exitCode, 3);
  assert.match(stderr, /nothing listens there\. Start it with `runlet serve`/);
});

test("dev of no directory is refused", async () => {
  const { exitCode, stderr } = await runlet(["dev", "nope"], { url });
  assert.equal(exitCode, 1);
  assert.match(stderr, /Cannot watch nope: no such directory/);
});

function code(n: number): string {
  return `console.log("said ${n}"); export const handler = () => ({ one: ${n} });`;
}

async function project(name: string): Promise<TempDir> {
  const dir = await tempDir();
  await mkdir(dir.file(name));
  await writeFile(dir.file(name, "index.mjs"), code(1));
  return dir;
}

/** The ids of what runs, the newest first. */
async function runningOfSlow(): Promise<string[]> {
  const { items } = await server.client.invocations({ function: "slow", status: "running" });
  return items.map(({ id }) => id);
}

/** Waits until the screen has it. */
async function shows(dev: OnTerminal, what: RegExp): Promise<void> {
  const look = (): true | undefined => (what.test(dev.screen()) ? true : undefined);
  try {
    await poll(`see ${what}`, look, { timeoutMs: 20_000 });
  } catch {
    assert.match(dev.screen(), what);
  }
}
