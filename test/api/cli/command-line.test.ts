import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { runlet, runletOnTerminal } from "./runlet.ts";

const commands = [
  ["serve"],
  ["init"],
  ["dev"],
  ["deploy"],
  ["invoke"],
  ["url"],
  ["run"],
  ["functions"],
  ["functions", "ls"],
  ["functions", "show"],
  ["functions", "rm"],
  ["invocations"],
  ["invocations", "ls"],
  ["invocations", "show"],
  ["invocations", "cancel"],
  ["logs"],
  ["top"],
  ["image"],
  ["image", "ls"],
  ["image", "add"],
  ["image", "rm"],
  ["doctor"],
];

test("every command has a help with an example", async () => {
  for (const command of commands) {
    const { exitCode, stdout, stderr } = await runlet([...command, "--help"]);
    assert.equal(exitCode, 0, stderr);
    assert.ok(stdout.replace("|images", "").startsWith(`Usage: runlet ${command.join(" ")} `));
    assert.match(stdout, /Examples:\n {2}\$ runlet /);
    assert.equal(stderr, "");
  }
});

test("the help of runlet tells the exit codes", async () => {
  const { exitCode, stdout } = await runlet(["--help"]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /Exit codes:\n/);
});

test("runlet without a command shows the help on stderr and is a wrong command line", async () => {
  const { exitCode, stdout, stderr } = await runlet([]);
  assert.deepEqual({ exitCode, stdout }, { exitCode: 2, stdout: "" });
  assert.match(stderr, /^Usage: runlet /);
});

const wrong: { args: string[]; says: RegExp; exitCode?: number }[] = [
  {
    args: ["deply"],
    says: /unknown command 'deply'\n\(Did you mean deploy\?\)\nSee: runlet --help/,
  },
  { args: ["functions", "hello"], says: /too many arguments/ },
  { args: ["functions", "ls", "--limits", "3"], says: /--limits'\n\(Did you mean --limit\?\)/ },
  {
    args: ["functions", "ls", "--limit", "x"],
    says: /whole number.\nSee: runlet functions ls --help/,
  },
  {
    args: ["invocations", "--status", "foo"],
    says: /'foo' is invalid. Allowed choices are queued/,
  },
  { args: ["invocations", "--reason", "foo"], says: /Allowed choices are exited/ },
  { args: ["invocations", "cancel"], says: /missing required argument 'id'/ },
  { args: ["invoke"], says: /missing required argument 'name'/ },
  { args: ["invoke", "a", "{}", "--file", "b"], says: /expected one event/ },
  { args: ["deploy"], says: /expected a file or a directory, or a command after --/ },
  { args: ["deploy", "--"], says: /expected a file or a directory, or a command after --/ },
  { args: ["deploy", "a", "b"], says: /too many arguments/ },
  { args: ["deploy", "--runtime", "perl", "a"], says: /Allowed choices are node, python, command/ },
  { args: ["deploy", "--env", "1=2", "a"], says: /Expected NAME=value/ },
  { args: ["deploy", "--env", "NOT_SET_ANYWHERE", "a"], says: /is not set in the environment/ },
  { args: ["deploy", "--memory-bytes", "3MB", "a"], says: /a size such as 512MiB/ },
  {
    args: ["deploy", "--on-failure", "https://example.org/failed", "--", "true"],
    says: /expected --callback-secret together with a URL/,
  },
  {
    args: ["deploy", "--on-success", "tell", "--callback-secret", "key", "--", "true"],
    says: /expected --callback-secret together with a URL/,
  },
  { args: ["init", "a", "--runtime", "perl"], says: /Allowed choices are node, typescript, / },
  { args: ["dev", "a", "b"], says: /too many arguments/ },
  { args: ["serve", "--port", "http"], says: /whole number/ },
  { args: ["run"], says: /missing required argument 'file'/, exitCode: 125 },
  {
    args: ["run", "-i", "--runtime", "node", "-"],
    says: /one use of standard input/,
    exitCode: 125,
  },
];

for (const { args, says, exitCode = 2 } of wrong) {
  test(`runlet ${args.join(" ")} is a wrong command line and says so`, async () => {
    const ended = await runlet(args);
    assert.equal(ended.exitCode, exitCode, ended.stderr);
    assert.equal(ended.stdout, "");
    assert.match(ended.stderr, /^error: /);
    assert.match(ended.stderr, says);
  });

  test(`runlet ${args.join(" ")} --json says it in JSON`, async () => {
    // Words after a script or after -- are not ours.
    const ended = await runlet([...args.slice(0, 1), "--json", ...args.slice(1)]);
    assert.equal(ended.exitCode, exitCode, ended.stderr);
    const { code, detail } = JSON.parse(ended.stderr) as { code: string; detail: string };
    assert.equal(code, "command_line");
    assert.ok(detail.length > 0);
  });
}

const withoutServer = [
  ["deploy", "--", "true"],
  ["invoke", "a"],
  ["functions"],
  ["functions", "show", "a"],
  ["functions", "rm", "a"],
  ["invocations"],
  ["invocations", "show", "a"],
  ["invocations", "cancel", "a"],
  ["logs"],
  ["image"],
  ["image", "rm", "a"],
];

test("every command that needs a server says where it looked for one, and ends with 3", async () => {
  for (const args of withoutServer) {
    const { exitCode, stdout, stderr } = await runlet(args);
    assert.deepEqual({ exitCode, stdout }, { exitCode: 3, stdout: "" }, stderr);
    assert.match(
      stderr,
      /^error: Cannot reach Runlet at http:\/\/127.0.0.1:1: nothing listens there/,
    );
    assert.match(stderr, /`runlet serve`/);
  }
});

test("run without a server ends with 125, which no script's own code is taken for", async () => {
  const { exitCode, stderr } = await runlet(["run", "--runtime", "command", "true"]);
  assert.equal(exitCode, 125);
  assert.match(stderr, /Cannot reach Runlet/);
});

test("with --json, a missing server is JSON on stderr", async () => {
  const { exitCode, stdout, stderr } = await runlet(["functions", "--json"]);
  assert.deepEqual({ exitCode, stdout }, { exitCode: 3, stdout: "" });
  assert.equal((JSON.parse(stderr) as { code: string }).code, "unreachable");
});

test("what is no URL, and what is no Runlet, is named as such", async () => {
  const noUrl = await runlet(["functions", "--url", "nonsense"]);
  assert.equal(noUrl.exitCode, 3);
  assert.match(noUrl.stderr, /nonsense: it is no URL/);

  const other = createServer((_request, response) => response.end("<html>")).listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  try {
    const { exitCode, stderr } = await runlet(["functions"], { url: `http://127.0.0.1:${port}` });
    assert.equal(exitCode, 3);
    assert.match(stderr, /what answered there \(status 200\) is no Runlet/);
  } finally {
    other.close();
  }
});

test("colours are for terminals, and for those that want them", async () => {
  const piped = await runlet(["foo"]);
  assert.ok(!piped.stderr.includes("\u001B"));
  using terminal = runletOnTerminal(["foo"]);
  assert.ok((await terminal.ended()).screen.startsWith("\u001B[31merror"));
  using plain = runletOnTerminal(["foo"], { env: { NO_COLOR: "1" } });
  assert.ok((await plain.ended()).screen.startsWith("error"));
});

test("doctor checks the host without a server", async () => {
  const { exitCode, stdout, stderr } = await runlet(["doctor", "--quick", "--json"]);
  assert.equal(exitCode, 0, stdout + stderr);
  const { items } = JSON.parse(stdout) as { items: { name: string; status: string }[] };
  assert.equal(items.find((item) => item.name === "runsc")?.status, "ok");
  const plain = await runlet(["doctor", "--quick"]);
  assert.match(plain.stdout, /^ok +runsc: /m);
});

test("doctor ends with 1 where the host is not fit, and says how to mend it", async () => {
  const env = { RUNLET_RUNSC: "/nowhere/runsc" };
  const { exitCode, stdout } = await runlet(["doctor"], { env });
  assert.equal(exitCode, 1);
  assert.match(stdout, /^error +runsc: .*\n {8}\S/m);
});
