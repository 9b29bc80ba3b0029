import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { CommandEvent } from "../../../api/schema/sandbox-command.ts";
import { poll } from "../../../runtime/deadline.ts";
import { startTestServer } from "../../support/server.ts";
import { runlet, runletOnTerminal } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client, url } = server;
const { id } = await client.createSandbox({ env: { OF: "sandbox" } });

interface Case {
  args: readonly string[];
  input?: string;
  isInputOpen?: boolean;
  exitCode: number;
  stdout?: string;
  stderr?: RegExp | string;
}

const cases: readonly Case[] = [
  {
    args: ["--", "sh", "-c", "echo out; echo err >&2; exit 3"],
    exitCode: 3,
    stdout: "out\n",
    stderr: "err\n",
  },
  { args: ["--", "tr", "a-z", "A-Z"], input: "given", exitCode: 0, stdout: "GIVEN" },
  { args: ["--", "wc", "-c"], input: "x".repeat(1_000_000), exitCode: 0, stdout: "1000000\n" },
  {
    args: ["--", "head", "-c", "2"],
    input: "x".repeat(1_000_000),
    exitCode: 0,
    stdout: "xx",
    stderr: "",
  },
  { args: ["--no-stdin", "--", "cat"], input: "not asked for", exitCode: 0, stdout: "" },
  {
    args: ["--", "echo", "-n", "--", "$HOME", "a  b"],
    isInputOpen: true,
    exitCode: 0,
    stdout: "-- $HOME a  b",
  },
  {
    args: ["-e", "A=b", "--cwd", "/tmp", "--", "sh", "-c", "echo $A $OF; pwd"],
    exitCode: 0,
    stdout: "b sandbox\n/tmp\n",
  },
  { args: ["-u", "root", "--", "id", "-u"], exitCode: 0, stdout: "0\n" },
  { args: ["--", "sh", "-c", "kill -9 $$"], exitCode: 137, stderr: "[killed by SIGKILL]\n" },
  { args: ["--timeout-ms", "100", "--", "sleep", "60"], exitCode: 124, stderr: /^\[timed out: / },
  { args: ["--", "nope"], exitCode: 125, stderr: /no program nope .*\(not_found\)/ },
  { args: [], exitCode: 125, stderr: /expected a command after --/ },
];

for (const { args, input, isInputOpen, exitCode, stdout, stderr } of cases) {
  const given = isInputOpen ? " with an open pipe" : input === undefined ? "" : " with input";
  test(`exec ${args.join(" ")}${given} ends with ${exitCode}`, async () => {
    const ended = await runlet(["exec", id, ...args], { url, input, isInputOpen });
    assert.equal(ended.exitCode, exitCode, ended.stderr);
    if (stdout !== undefined) assert.equal(ended.stdout, stdout);
    if (typeof stderr === "string") assert.equal(ended.stderr, stderr);
    if (stderr instanceof RegExp) assert.match(ended.stderr, stderr);
  });
}

test("what a command writes passes byte for byte", async () => {
  const ended = await runlet(["exec", id, "--", "printf", "\\377\\000"], { url });
  assert.deepEqual([...ended.stdoutBytes], [255, 0]);
});

test("with --json each event is a line, and the exit code is the command's all the same", async () => {
  const ended = await runlet(["exec", id, "--json", "--", "sh", "-c", "echo a; exit 3"], { url });
  const lines = ended.stdout.trim().split("\n");
  const types = lines.map((line) => (JSON.parse(line) as CommandEvent).type);
  assert.deepEqual([ended.exitCode, types], [3, ["started", "output", "exit"]]);
});

test("output is shown as it comes, what is typed arrives, and Ctrl-C is the command's", async () => {
  const script =
    "trap 'echo stopped; exit 7' INT; echo began; while read line; do echo got $line; done";
  using terminal = runletOnTerminal(["exec", id, "--", "sh", "-c", script], { url });
  const shown = async (text: string): Promise<void> => {
    const probe = (): true | undefined => (terminal.screen().includes(text) ? true : undefined);
    await poll(`see ${text}`, probe, { timeoutMs: 30_000 });
  };
  await shown("began");
  terminal.type("hello\r");
  await shown("got hello");
  terminal.type("\u0003");
  const { exitCode, screen } = await terminal.ended();
  assert.equal(exitCode, 7, screen);
  assert.match(screen, /stopped/);
});
