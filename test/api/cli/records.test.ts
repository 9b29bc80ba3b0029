import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { FunctionVersion } from "../../../api/schema/function.ts";
import type { InvocationDetail } from "../../../api/schema/invocation.ts";
import type { FunctionStatistics } from "../../../api/schema/statistics.ts";
import { poll } from "../../../runtime/deadline.ts";
import { startTestServer } from "../../support/server.ts";
import { runlet, runletOnTerminal } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url, client } = server;
const names = ["a", "b", "c"];
let ids: string[] = [];

test("empty lists say so on stderr, and are empty lists with --json", async () => {
  for (const args of [["functions"], ["invocations"], ["logs"]]) {
    const plain = await runlet(args, { url });
    assert.deepEqual([plain.exitCode, plain.stdout], [0, ""]);
    assert.match(plain.stderr, /^No /);
    const json = await runlet([...args, "--json"], { url });
    assert.deepEqual(JSON.parse(json.stdout), { items: [] });
    assert.equal(json.stderr, "");
  }
});

test("with functions and invocations", async (t) => {
  await t.test("they are made", makeThem);

  await t.test("functions lists them in columns and tells how to see more", async () => {
    const all = await runlet(["functions"], { url });
    assert.match(all.stdout, /^NAME {2}VERSION {2}RUNTIME {2}IMAGE {4}DEPLOYED\na {5}1 {8}command/);
    assert.equal(all.stdout.split("\n").length, 5);
    assert.equal(all.stderr, "");
    const some = await runlet(["functions", "--limit", "2"], { url });
    assert.equal(some.stderr, "There are more: add --after b\n");
    const rest = await runlet(["functions", "ls", "--after", "b"], { url });
    assert.match(rest.stdout, /\nc /);
    assert.equal(rest.stderr, "");
  });

  await t.test("functions show prints a version as JSON", async () => {
    const { stdout } = await runlet(["functions", "show", "a", "--version", "1"], { url });
    assert.deepEqual((JSON.parse(stdout) as FunctionVersion).command, [
      "sh",
      "-c",
      "echo a; echo e >&2; cat",
    ]);
  });

  await t.test("invocations lists, filters and pages, newest first", async () => {
    const all = await runlet(["invocations"], { url });
    const lines = all.stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^ID +FUNCTION +STATUS +START +END +QUEUED +RUN$/);
    assert.deepEqual(
      lines.slice(1).map((line) => line.split(/\s+/)[0]),
      ids.toReversed(),
    );
    assert.match(lines[1] ?? "", / c:1 +succeeded +\w+ +exit 0 /);
    const first = await runlet(["invocations", "--limit", "1"], { url });
    assert.equal(first.stderr, `There are more: add --before ${ids[2]}\n`);
    const ofA = await runlet(["invocations", "--function", "a", "--json"], { url });
    const { items } = JSON.parse(ofA.stdout) as { items: InvocationDetail[] };
    assert.deepEqual(
      items.map((item) => item.id),
      [ids[0]],
    );
    const record = await client.invocation(ids[1] ?? "");
    for (const narrow of [
      ["--trace-id", record.traceId],
      ["--since", String(timeOf(ids[1])), "--until", String(timeOf(ids[2]))],
    ]) {
      const found = await runlet(["invocations", ...narrow, "--json"], { url });
      const page = JSON.parse(found.stdout) as { items: InvocationDetail[] };
      assert.deepEqual(
        page.items.map((item) => item.id),
        [ids[1]],
      );
    }
    const slow = await runlet(["invocations", "--min-duration-ms", "80000000"], { url });
    assert.equal(slow.stderr, "No such invocations.\n");
    assert.match((await runlet(["invocations", "--status", "failed"], { url })).stderr, /^No such/);
  });

  await t.test("a terminal gets the head of a list in bold", async () => {
    using terminal = runletOnTerminal(["invocations"], { url });
    const { exitCode, screen } = await terminal.ended();
    assert.equal(exitCode, 0);
    assert.ok(screen.startsWith("\u001B[1mID "), screen);
  });

  await t.test("logs keeps stdout and stderr apart and says whose they are on stderr", async () => {
    const { stdout, stderr } = await runlet(["logs", "--limit", "2"], { url });
    assert.equal(stdout, "b\n{}c\n{}");
    assert.match(
      stderr,
      new RegExp(`^-- ${ids[1]} b succeeded \\(exit 0\\) .*\\ne\\n-- ${ids[2]} c `),
    );
    const one = await runlet(["logs", ids[0] ?? "", "--json"], { url });
    const { items } = JSON.parse(one.stdout) as { items: InvocationDetail[] };
    assert.equal(items[0]?.stdout, "a\n{}");
    const ofB = await runlet(["logs", "--function", "b"], { url });
    assert.equal(ofB.stdout, "b\n{}");
  });

  await t.test(
    "stats shows errors, starts and times in columns, and JSON with --json",
    async () => {
      const { stdout } = await runlet(["stats", "a"], { url });
      assert.match(stdout, /^a: 1 invocations since \d{4}-/);
      assert.match(stdout, /\nerrors: 0 failed, 0 timed_out, 0 cancelled, 0 lost\n/);
      assert.match(stdout, /\nstarts: 100\.0 % cold, 0\.0 % pooled, 0\.0 % warm\n/);
      assert.match(stdout, /\nTIME +P50 +P95 +P99\nrun +\d[^\n]+\ntotal +\d/);
      const json = await runlet(["stats", "a", "--window-ms", "60000", "--json"], { url });
      const told = JSON.parse(json.stdout) as FunctionStatistics;
      assert.deepEqual([told.count, told.windowMs], [1, 60_000]);
    },
  );

  await t.test("invocations show prints a record as JSON", async () => {
    const { stdout } = await runlet(["invocations", "show", ids[1] ?? ""], { url });
    assert.equal((JSON.parse(stdout) as InvocationDetail).stderr, "e\n");
  });

  await t.test(
    "invocations cancel ends a running one, and refuses one that has ended",
    async () => {
      await client.deploy("sleeper", { runtime: "command", command: ["sleep", "600"] });
      const invoked = runlet(["invoke", "sleeper"], { url });
      const probe = async (): Promise<string | undefined> =>
        (await client.invocations({ status: "running" })).items[0]?.id;
      const id = await poll("see it run", probe, { timeoutMs: 30_000 });
      const { exitCode, stdout, stderr } = await runlet(["invocations", "cancel", id], { url });
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, new RegExp(`^Invocation ${id}: cancelled \\(`));
      const caller = await invoked;
      assert.equal(caller.exitCode, 1);
      assert.match(caller.stderr, /\(cancelled\)/);
      const again = await runlet(["invocations", "cancel", id], { url });
      assert.equal(again.exitCode, 1);
      assert.match(again.stderr, /cancelled already \(failed_precondition\)/);
    },
  );

  await t.test("functions rm deletes one, once", async () => {
    const held = await runlet(["functions", "rm", "a", "--if-match", "another"], { url });
    assert.match(held.stderr, /\(condition_not_met\)/);
    await server.client.deploy("a", { runtime: "command", command: ["true", "again"] });
    const { version } = await server.client.getFunction("a");
    const one = await runlet(["functions", "rm", "a", "--version", "1"], { url });
    assert.equal(one.stdout, "Deleted a:1\n");
    const kept = (await server.client.versions("a")).items.map((item) => item.version);
    assert.ok(kept.includes(version) && !kept.includes(1));
    const latest = await runlet(["functions", "rm", "a", "--version", String(version)], { url });
    assert.match(latest.stderr, /it is the latest.*\(failed_precondition\)/);
    assert.equal((await runlet(["functions", "rm", "a"], { url })).stdout, "Deleted a\n");
    const json = await runlet(["functions", "rm", "b", "--json"], { url });
    assert.deepEqual(JSON.parse(json.stdout), { deleted: "b" });
    const again = await runlet(["functions", "rm", "a"], { url });
    assert.equal(again.exitCode, 1);
    assert.match(again.stderr, /^error: .*\(not_found\)\n$/);
  });
});

test("unknown and impossible ids are told apart", async () => {
  const nobody = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";
  for (const args of [["logs"], ["invocations", "show"], ["invocations", "cancel"]]) {
    const unknown = await runlet([...args, nobody], { url });
    assert.equal(unknown.exitCode, 1);
    assert.match(unknown.stderr, /\(not_found\)/);
    const impossible = await runlet([...args, "nope"], { url });
    assert.equal(impossible.exitCode, 1);
    assert.match(impossible.stderr, /\(invalid_argument\)/);
  }
});

/** The milliseconds that an id begins with. */
function timeOf(id = ""): number {
  return Number.parseInt(id.replace("-", "").slice(0, 12), 16);
}

async function makeThem(): Promise<void> {
  for (const name of names) {
    const command = ["sh", "-c", `echo ${name}; echo e >&2; cat`];
    await client.deploy(name, { runtime: "command", command });
  }
  const answers = [];
  for (const name of names) answers.push(await client.invoke(name));
  ids = answers.map((answer) => answer.invocationId);
}
