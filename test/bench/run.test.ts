import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { after, before, suite, test } from "node:test";
import { benches } from "../../bench/catalogue.ts";
import { poll } from "../../runtime/deadline.ts";
import { tempDir, type TempDir } from "../support/temp-dir.ts";
import { processesIn, resultsOf, runBench, startBench } from "./harness.ts";

const short = ["--runs", "1", "--window", "50", "--json"];
const hostFacts = ["cores", "cpu", "kernel", "load", "node", "platform", "runsc"];

/** A bench that measures a stock asks for one. */
const noStock = { RUNLET_POOL_FLOOR: "0" };

/** What a bench yields beside the result of its own name. */
const further: Readonly<Record<string, string[]>> = {
  density: ["density-cpu"],
  store: ["store-list"],
  async: ["async-latency"],
  stream: ["stream-rate"],
  sandbox: ["sandbox-run", "sandbox-pause", "sandbox-wake"],
  files: ["files-up", "files-down"],
  "sandbox-density": ["sandbox-density-cpu", "sandbox-paused-cpu"],
};

let dir: TempDir;
before(async () => {
  dir = await tempDir();
});
after(async () => await dir[Symbol.asyncDispose]());

suite("each bench", { concurrency: 2 }, () => {
  for (const { name } of benches) {
    test(`${name} yields its result as JSON and leaves nothing`, async () => {
      await using own = await tempDir();
      const args = [name, ...short, "--against", "none"];
      const { stdout, stderr, exitCode } = await runBench(args, { tmp: own.path, env: noStock });
      assert.equal(exitCode, 0, stderr);
      const results = resultsOf(stdout);
      assert.deepEqual(
        results.map((result) => result.name),
        [name, ...(further[name] ?? [])],
      );
      for (const { unit, series, ratios, host } of results) {
        assert.ok(unit.length > 0);
        assert.equal(series[0]?.name.split("@")[0], "runlet");
        assert.ok(series.some((each) => each.name === "runlet"));
        for (const { n, min, p50, p95, p99, max } of series) {
          assert.ok(n >= 1);
          const ordered = [min, p50, p95, p99, max];
          assert.ok(ordered.every(Number.isFinite), ordered.join(", "));
          assert.deepEqual(
            ordered,
            ordered.toSorted((a, b) => a - b),
          );
        }
        assert.deepEqual(ratios, {});
        assert.deepEqual(Object.keys(host).sort(), hostFacts);
      }
      assert.deepEqual(await readdir(own.path), []);
      assert.deepEqual(processesIn(own.path), []);
    });
  }
});

test("peers are measured beside Runlet, and one that is not there is named with its reason", async () => {
  const args = ["cold", ...short, "--against", "runsc,native,docker-runc,workerd"];
  const env = { DOCKER_HOST: "unix:///nonexistent/docker.sock" };
  const { stdout, exitCode } = await runBench(args, { tmp: dir.path, env });
  assert.equal(exitCode, 0);
  const [result] = resultsOf(stdout);
  assert.ok(result);
  const { series, ratios, skipped, promises } = result;
  assert.deepEqual(
    series.map(({ name }) => name),
    ["runlet", "runsc", "native"],
  );
  const [runlet, runsc] = series;
  assert.equal(ratios["runsc"], (runsc?.p50 ?? 0) / (runlet?.p50 ?? 0));
  assert.equal(typeof promises[0]?.holds, "boolean");
  const reasons = Object.fromEntries(skipped.map(({ name, reason }) => [name, reason]));
  assert.match(reasons["docker-runc"] ?? "", /^docker (does not work: .+|is not installed)$/);
  assert.equal(reasons["workerd"], "cold is not measured against it");
});

test("peers that answer over HTTP are measured beside Runlet", async () => {
  const args = ["http", ...short, "--against", "node-http"];
  const { stdout, stderr, exitCode } = await runBench(args, { tmp: dir.path });
  assert.equal(exitCode, 0, stderr);
  const names = resultsOf(stdout)[0]?.series.map(({ name }) => name);
  assert.deepEqual(names, ["runlet@1", "node-http@1", "runlet", "node-http"]);
});

test("an interrupted bench leaves no process and no directory", async () => {
  await using own = await tempDir();
  const run = startBench(["cold", "--runs", "20", "--json", "--against", "runsc"], {
    tmp: own.path,
  });
  // By then the server has had a turn, and a container of the peer is there.
  const isAtPeer = (): true | undefined =>
    processesIn(own.path).some(
      (line) => line.startsWith("runsc-sandbox") && /\/p\/runsc\//.test(line),
    )
      ? true
      : undefined;
  await poll("see a container of the peer", isAtPeer, { timeoutMs: 60_000 });
  assert.ok(processesIn(own.path).length > 0);
  run.interrupt();
  const { exitCode, stdout, stderr } = await run.ended;
  assert.equal(exitCode, 130, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /Interrupted by SIGINT/);
  assert.deepEqual(processesIn(own.path), []);
  assert.deepEqual(await readdir(own.path), []);
});

test("without a name the benches are listed", async () => {
  const { stdout, exitCode } = await runBench([], { tmp: dir.path });
  assert.equal(exitCode, 0);
  for (const { name } of benches) assert.match(stdout, new RegExp(`^${name} `, "m"));
});

const refused: { args: string[]; said: RegExp }[] = [
  {
    args: ["nosuch", "--json"],
    said: /Cannot run bench "nosuch": there are cold, fresh, .*, and all/,
  },
  { args: ["cold", "--against", "nosuch"], said: /There are runsc, docker-runsc, .*, and none/ },
  { args: ["cold", "--runs", "0"], said: /whole number above 0/ },
];
for (const { args, said } of refused) {
  test(`\`${args.join(" ")}\` is refused with what there is`, async () => {
    const { stdout, stderr, exitCode } = await runBench(args, { tmp: dir.path });
    assert.equal(exitCode, 1);
    assert.equal(stdout, "");
    assert.match(stderr, said);
  });
}
