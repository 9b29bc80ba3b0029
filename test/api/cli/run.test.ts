import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { Invocation } from "../../../api/schema/invocation.ts";
import { poll } from "../../../runtime/deadline.ts";
import { startTestServer } from "../../support/server.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { runlet, runletOnTerminal } from "./runlet.ts";

const server = await startTestServer();
const dir = await tempDir();
after(async () => {
  await server[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});
const options = { url: server.url, cwd: dir.path };

const scripts = {
  "args.py": "import sys, os\nprint(sys.argv[1:], os.environ.get('A'))\n",
  "typed.ts": "const words: string[] = process.argv.slice(2);\nconsole.log(words.length);\n",
  "cat.sh": "cat\n",
  "three.sh": "echo out; echo err >&2; exit 3\n",
  "kill.sh": "kill -9 $$\n",
  "term.sh": "exit 143\n",
  "loop.sh": "while :; do :; done\n",
  "bytes.sh": "printf '\\377\\000'\n",
  "many.sh": "seq 1000\n",
  "sleep.sh": "echo began; sleep 600\n",
  noext: "1\n",
};

before(async () => {
  for (const [name, text] of Object.entries(scripts)) await writeFile(dir.file(name), text);
});

const cases: {
  args: string[];
  input?: string;
  isInputOpen?: boolean;
  exitCode: number;
  stdout?: string;
  stderr?: string | RegExp;
}[] = [
  {
    args: ["-e", "A=b", "args.py", "--json", "-v", "--", "x"],
    exitCode: 0,
    stdout: "['--json', '-v', '--', 'x'] b\n",
  },
  { args: ["typed.ts", "a", "b"], exitCode: 0, stdout: "2\n" },
  { args: ["three.sh"], exitCode: 3, stdout: "out\n", stderr: "err\n" },
  { args: ["kill.sh"], exitCode: 137, stderr: "[killed by SIGKILL]\n" },
  { args: ["term.sh"], exitCode: 143, stderr: "" },
  {
    args: ["--timeout-ms", "300", "loop.sh"],
    exitCode: 124,
    stderr: /^\[timed out: .*--timeout-ms\]/,
  },
  {
    args: ["--output-bytes", "10", "many.sh"],
    exitCode: 0,
    stderr: /\[output cut: .*--output-bytes\]/,
  },
  { args: ["--runtime", "python", "-"], input: "print(6 * 7)", exitCode: 0, stdout: "42\n" },
  { args: ["-i", "cat.sh"], input: "given", exitCode: 0, stdout: "given" },
  { args: ["cat.sh"], input: "not asked for", exitCode: 0, stdout: "" },
  { args: ["cat.sh"], isInputOpen: true, exitCode: 0, stdout: "" },
  { args: ["--runtime", "command", "echo", "-n", "a"], exitCode: 0, stdout: "a" },
  { args: ["--runtime", "bash", "noext"], exitCode: 127, stderr: /not found/ },
  { args: ["--verbose", "three.sh"], exitCode: 3, stderr: /^err\n[0-9a-f-]{36} ran / },
  {
    args: ["nope.py"],
    exitCode: 125,
    stderr: "error: Cannot read nope.py: no such file or directory\n",
  },
  {
    args: ["noext"],
    exitCode: 125,
    stderr: /Cannot tell the runtime of noext: name it with --runtime/,
  },
  { args: ["--image", "nope", "three.sh"], exitCode: 125, stderr: /nope.*\(not_found\)/ },
  { args: ["--memory-bytes", "1KiB", "cat.sh"], exitCode: 125, stderr: /\(invalid_argument\)/ },
];

for (const { args, input, isInputOpen, exitCode, stdout, stderr } of cases) {
  const given = isInputOpen ? " with an open pipe" : input === undefined ? "" : " with input";
  test(`run ${args.join(" ")}${given} ends with ${exitCode}`, async () => {
    const ended = await runlet(["run", ...args], { ...options, input, isInputOpen });
    assert.equal(ended.exitCode, exitCode, ended.stderr);
    if (stdout !== undefined) assert.equal(ended.stdout, stdout);
    if (typeof stderr === "string") assert.equal(ended.stderr, stderr);
    if (stderr instanceof RegExp) assert.match(ended.stderr, stderr);
  });
}

test("what a script writes passes byte for byte", async () => {
  const { stdoutBytes } = await runlet(["run", "bytes.sh"], options);
  assert.deepEqual([...stdoutBytes], [255, 0]);
});

test("with --json the result is one document, and the exit code is the script's all the same", async () => {
  const { exitCode, stdout, stderr } = await runlet(["run", "--json", "three.sh"], options);
  assert.deepEqual({ exitCode, stderr }, { exitCode: 3, stderr: "" });
  const { exitReason, stdout: out } = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual([exitReason, out], ["exited", "out\n"]);
});

test("output is shown as it comes, and Ctrl-C ends the run in the sandbox too", async () => {
  using terminal = runletOnTerminal(["run", "sleep.sh"], options);
  const running = await poll("see it run", async () => await newest("running"), {
    timeoutMs: 30_000,
  });
  const shown = (): true | undefined => (terminal.screen().includes("began") ? true : undefined);
  await poll("see its output", shown, { timeoutMs: 30_000 });
  terminal.type("\u0003");
  await terminal.ended();
  const probe = async (): Promise<true | undefined> =>
    (await newest("cancelled")) === running ? true : undefined;
  await poll("see it cancelled", probe, { timeoutMs: 30_000 });
});

async function newest(status: Invocation["status"]): Promise<string | undefined> {
  return (await server.client.invocations({ status, limit: 1 })).items[0]?.id;
}
