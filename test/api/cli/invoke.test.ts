import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { startTestServer } from "../../support/server.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { runlet, runletOnTerminal } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url, client } = server;

const sources = {
  echo: "export const handler = (event) => event;",
  bytes: "export const handler = () => new Uint8Array([0, 1, 2, 255]);",
  text: 'export const handler = () => "plain";',
  page: `export default { fetch: () => new Response("<p>", { status: 404, headers: { "content-type": "text/html" } }) };`,
  hostile: `export const handler = () => {
    console.log("\\u001b[31mred\\u001b[0m\\u001b[2J\\u009b2J");
    throw new Error("bad \\u001b]0;title\\u0007");
  };`,
};

before(async () => {
  for (const [name, source] of Object.entries(sources)) {
    await client.deploy(name, { runtime: "node", code: { source } });
  }
  await client.deploy("noisy", { runtime: "command", command: ["seq", "1000"], outputBytes: 100 });
});

test("the event comes from the argument, a file or standard input, and is {} else", async () => {
  await using dir = await tempDir();
  await writeFile(dir.file("event.json"), '{"from":"file"}');
  const cases: { args: string[]; input?: string; answer: string }[] = [
    { args: [], answer: "{}" },
    { args: ["[1]"], answer: "[1]" },
    { args: ["--file", "event.json"], answer: '{"from":"file"}' },
    { args: ["-f", "-"], input: '["f"]', answer: '["f"]' },
    { args: ["-"], input: '["dash"]', answer: '["dash"]' },
    { args: ["[2]"], input: "not read", answer: "[2]" },
    { args: ["--type", "text/plain", "a b"], answer: "a b" },
  ];
  for (const { args, input, answer } of cases) {
    const options = { url, cwd: dir.path, input };
    const { exitCode, stdout, stderr } = await runlet(["invoke", "echo", ...args], options);
    assert.deepEqual({ exitCode, stderr, stdout }, { exitCode: 0, stderr: "", stdout: answer });
  }
});

test("--batch invokes with each event of a file, and fails where one of them does", async () => {
  await using dir = await tempDir();
  await writeFile(dir.file("events.json"), '[{"n": 1}, "two"]');
  const batch = async (name: string, path: string, ...more: string[]): ReturnType<typeof runlet> =>
    await runlet(["invoke", name, "--batch", path, ...more], { url, cwd: dir.path, input: "[3]" });
  const all = await batch("echo", "events.json");
  const { items } = JSON.parse(all.stdout) as { items: { answer: unknown; status: number }[] };
  assert.deepEqual(
    [all.exitCode, ...items.map(({ answer, status }) => [status, answer])],
    [0, [200, { n: 1 }], [200, "two"]],
  );
  assert.match((await batch("echo:$LATEST", "-")).stdout, /"answer": 3/);
  const failed = await batch("hostile", "-");
  assert.equal(failed.exitCode, 1);
  assert.match(failed.stdout, /"code": "function_error"/);
  await writeFile(dir.file("one.json"), "{}");
  assert.match((await batch("echo", "one.json")).stderr, /one\.json: expected a JSON array/);
  for (const more of [["{}"], ["--async"]]) {
    assert.equal((await batch("echo", "events.json", ...more)).exitCode, 2);
  }
});

test("a standard input that never ends and was not asked for is not waited for", async () => {
  const { exitCode, stdout } = await runlet(["invoke", "echo"], { url, isInputOpen: true });
  assert.deepEqual({ exitCode, stdout }, { exitCode: 0, stdout: "{}" });
});

test("an answer is printed as it came", async () => {
  const bytes = await runlet(["invoke", "bytes"], { url });
  assert.deepEqual([...bytes.stdoutBytes], [0, 1, 2, 255]);
  assert.equal((await runlet(["invoke", "text"], { url })).stdout, "plain");
});

test("a function's own status is told and is no failure of the command", async () => {
  const { exitCode, stdout, stderr } = await runlet(["invoke", "page"], { url });
  assert.deepEqual(
    { exitCode, stdout, stderr },
    { exitCode: 0, stdout: "<p>", stderr: "[status 404]\n" },
  );
});

test("with --json, any answer is a value of one JSON document", async () => {
  const cases: { name: string; part: Record<string, unknown> }[] = [
    { name: "echo", part: { status: 200, contentType: "application/json", answer: {} } },
    {
      name: "bytes",
      part: { status: 200, contentType: "application/octet-stream", answerBase64: "AAEC/w==" },
    },
    { name: "page", part: { status: 404, contentType: "text/html", answer: "<p>" } },
  ];
  for (const { name, part } of cases) {
    const { exitCode, stdout, stderr } = await runlet(["invoke", name, "--json"], { url });
    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" });
    const { invocationId, start, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
    assert.match(String(invocationId), /^[0-9a-f-]{36}$/);
    assert.match(String(start), /^(?:cold|pooled|warm)$/);
    assert.deepEqual(rest, part);
  }
});

test("--verbose tells the record and the times on stderr", async () => {
  const { stdout, stderr } = await runlet(["invoke", "echo", "--verbose"], { url });
  assert.equal(stdout, "{}");
  assert.match(stderr, /^[0-9a-f-]{36} status 200; \w+ start; .*run;dur=/);
});

test("--log shows what the function wrote on stderr, whether it succeeds or fails", async () => {
  const { stdout, stderr } = await runlet(["invoke", "noisy", "--log"], { url });
  assert.ok(stdout.startsWith("1\n2\n"));
  assert.match(stderr, /\n999\n1000\n/);
  const failed = await runlet(["invoke", "hostile", "-l"], { url });
  assert.equal(failed.exitCode, 1);
  assert.match(failed.stderr, /^\S*red[^\n]*\n[^]*error: /);
});

test("a cut answer is marked", async () => {
  const { exitCode, stderr } = await runlet(["invoke", "noisy"], { url });
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /\[answer cut: .*--output-bytes\]/);
});

test("a failed function ends the command with 1, its stack and where its output is", async () => {
  const { exitCode, stdout, stderr } = await runlet(["invoke", "hostile"], { url });
  assert.deepEqual({ exitCode, stdout }, { exitCode: 1, stdout: "" });
  assert.match(stderr, /^error: .*bad .*\(function_error\)\n/);
  assert.match(stderr, /\n {4}at handler /);
  const [, id = ""] = /runlet logs ([0-9a-f-]{36})\n$/.exec(stderr) ?? [];
  assert.match((await runlet(["logs", id], { url })).stdout, /red/);
});

test("a failure is the problem document with --json", async () => {
  const failed = await runlet(["invoke", "hostile", "--json"], { url });
  const problem = JSON.parse(failed.stderr) as { code: string; functionError: { name: string } };
  assert.equal(problem.code, "function_error");
  assert.equal(problem.functionError.name, "Error");
  const unknown = await runlet(["invoke", "nobody", "--json"], { url });
  assert.deepEqual([unknown.exitCode, unknown.stdout], [1, ""]);
  assert.equal((JSON.parse(unknown.stderr) as { code: string }).code, "not_found");
});

test("an unknown version is told apart from an unknown function", async () => {
  const { exitCode, stderr } = await runlet(["invoke", "echo", "--qualifier", "9"], { url });
  assert.equal(exitCode, 1);
  assert.match(stderr, /version 9 of function echo.*\(not_found\)/);
});

test("an event file that is not there is named", async () => {
  const { exitCode, stderr } = await runlet(["invoke", "echo", "--file", "nope"], { url });
  assert.equal(exitCode, 1);
  assert.equal(stderr, "error: Cannot read nope: no such file or directory\n");
});

test("a guest does not control the terminal, save for its colours", async () => {
  using failing = runletOnTerminal(["invoke", "hostile"], { url });
  const { exitCode, screen } = await failing.ended();
  assert.equal(exitCode, 1);
  assert.match(screen, /bad ␛\]0;title␇/);
  using logs = runletOnTerminal(["logs", "--function", "hostile", "--limit", "1"], { url });
  const ended = await logs.ended();
  assert.ok(
    ended.screen.includes("\u001B[31mred\u001B[0m␛[2J\uFFFD2J"),
    JSON.stringify(ended.screen),
  );
});

test("a terminal gets no binary answer but is told of it", async () => {
  using terminal = runletOnTerminal(["invoke", "bytes"], { url });
  const { exitCode, screen } = await terminal.ended();
  assert.equal(exitCode, 0);
  assert.match(screen, /^The answer is 4 B of application\/octet-stream: .* > FILE\s*$/);
});

test("a terminal is asked for the event when - names it", async () => {
  using terminal = runletOnTerminal(["invoke", "echo", "-"], { url });
  terminal.type("[1]\n\u0004");
  const { exitCode, screen } = await terminal.ended();
  assert.equal(exitCode, 0);
  assert.match(screen, /Reading standard input; Ctrl-D ends it/);
  assert.match(screen, /\r\n\[1\]\r\n$/);
});

test("a dry run tells what would run, and one of a bad event why it would not", async () => {
  const fit = await runlet(["invoke", "echo", "{}", "--dry-run"], { url });
  assert.deepEqual([fit.exitCode, fit.stdout], [0, "Fit to run: echo version 1\n"]);
  const json = await runlet(["invoke", "echo", "{}", "--dry-run", "--json"], { url });
  assert.deepEqual(JSON.parse(json.stdout), { name: "echo", version: 1 });
  const unfit = await runlet(["invoke", "echo", "{not", "--dry-run"], { url });
  assert.equal(unfit.exitCode, 1);
  assert.match(unfit.stderr, /Cannot take the event: it is not JSON/);
});

test("an idempotency key has the function run once", async () => {
  const source = "export const handler = () => crypto.randomUUID();";
  await client.deploy("once", { runtime: "node", code: { source } });
  const args = ["invoke", "once", "--idempotency-key", "order 17"];
  const first = await runlet(args, { url });
  const again = await runlet(args, { url });
  assert.deepEqual([first.exitCode, again.stdout], [0, first.stdout]);
  const other = await runlet([...args, "[2]"], { url });
  assert.equal(other.exitCode, 1);
  assert.match(other.stderr, /came with another event before/);
});
