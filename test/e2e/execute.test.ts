import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ExecuteEvent, ExecuteRequestInput, ExecuteResult } from "../../api/schema/execute.ts";
import { poll } from "../../runtime/deadline.ts";
import { problemOf } from "../support/problem.ts";
import { nothingLeft } from "../support/sandboxes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { archiveOf } from "../support/tar.ts";
import { zipOf } from "../support/zip.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

interface Case {
  what: string;
  request: ExecuteRequestInput;
  expected: Partial<ExecuteResult>;
}

const readStdin = "import sys; print(sys.argv[1:], sys.stdin.read())";

const cases: Case[] = [
  {
    what: "a node snippet that is a module",
    request: {
      runtime: "node",
      code: { source: "import os from 'node:os'; console.log(typeof os.cpus, await 1);" },
    },
    expected: { stdout: "function 1\n", exitCode: 0, exitReason: "exited" },
  },
  {
    what: "a node snippet that is CommonJS",
    request: { runtime: "node", code: { source: "console.log(require('node:os').EOL.length);" } },
    expected: { stdout: "1\n" },
  },
  {
    what: "a TypeScript file",
    request: {
      runtime: "node",
      code: { files: [{ path: "main.ts", content: "const n: number = 6; console.log(n * 7);" }] },
    },
    expected: { stdout: "42\n" },
  },
  {
    what: "a python snippet with arguments and input",
    request: {
      runtime: "python",
      code: { source: readStdin },
      args: ["a b", "$HOME", ""],
      stdin: "input ü",
    },
    expected: { stdout: "['a b', '$HOME', ''] input ü\n" },
  },
  {
    what: "a bash snippet with variables",
    request: {
      runtime: "bash",
      code: { source: 'echo "$GREETING"; echo err >&2; exit 3' },
      env: { GREETING: "hello 'you'" },
    },
    expected: { stdout: "hello 'you'\n", stderr: "err\n", exitCode: 3, exitReason: "exited" },
  },
  {
    what: "a command of the image",
    request: { runtime: "command", command: ["cat", "-"], stdin: "as it came" },
    expected: { stdout: "as it came" },
  },
  {
    what: "a command with files",
    request: {
      runtime: "command",
      command: ["./run"],
      args: ["x"],
      code: {
        files: [
          { path: "run", content: '#!/bin/sh\ncat lib/part; echo "$1"', executable: true },
          { path: "lib/part", content: "cGFydAo=", encoding: "base64" },
        ],
      },
    },
    expected: { stdout: "part\nx\n", stderr: "", exitCode: 0 },
  },
  {
    what: "the entry of several files",
    request: {
      runtime: "python",
      entry: "b.py",
      code: {
        files: [
          { path: "a.py", content: "word = 'imported'" },
          { path: "b.py", content: "from a import word; print(word)" },
        ],
      },
    },
    expected: { stdout: "imported\n" },
  },
  {
    what: "an archive",
    request: {
      runtime: "bash",
      code: archiveOf(
        { path: "main.sh", text: "cat data/link" },
        { path: "data/file", text: "linked" },
        { path: "data/link", type: "2", link: "file" },
      ),
    },
    expected: { stdout: "linked" },
  },
  {
    what: "a zip",
    request: {
      runtime: "bash",
      code: {
        archive: zipOf(
          { path: "main.sh", text: "./tool < data/link" },
          { path: "tool", text: "#!/bin/sh\ncat", mode: 0o100755 },
          { path: "data/file", text: "linked" },
          { path: "data/link", text: "file", mode: 0o120777 },
        ).toString("base64"),
      },
    },
    expected: { stdout: "linked" },
  },
  {
    what: "a program that writes beside itself",
    request: {
      runtime: "bash",
      code: {
        files: [
          {
            path: "main.sh",
            content: "mkdir out && echo new > out/x && echo more >> data && cat data out/x",
          },
          { path: "data", content: "old\n" },
        ],
      },
    },
    expected: { stdout: "old\nmore\nnew\n", stderr: "", exitCode: 0 },
  },
  {
    what: "a program that is killed by a signal",
    request: { runtime: "bash", code: { source: "kill -SEGV $$; sleep 5" } },
    expected: { exitCode: 139, exitSignal: "SIGSEGV", exitReason: "signaled" },
  },
  {
    what: "a program that runs into its timeout",
    request: { runtime: "bash", code: { source: "echo begun; sleep 600" }, timeoutMs: 3_000 },
    expected: { stdout: "begun\n", exitCode: 137, exitSignal: "SIGKILL", exitReason: "timeout" },
  },
  {
    what: "a node snippet that throws",
    request: { runtime: "node", code: { source: "throw new Error('no');" } },
    expected: { exitCode: 1, exitReason: "exited", stdout: "" },
  },
  {
    what: "input that is no text and output that is none",
    request: {
      runtime: "command",
      command: ["cat"],
      stdin: Buffer.from([0, 255, 254]).toString("base64"),
      stdinEncoding: "base64",
    },
    expected: {
      stdout: Buffer.from([0, 255, 254]).toString("base64"),
      stderr: "",
      outputEncoding: "base64",
    },
  },
  {
    what: "text that is cut inside a character",
    request: { runtime: "bash", code: { source: "printf ääää" }, outputBytes: 3 },
    expected: { outputEncoding: "utf8", stdoutTruncated: true, stderrTruncated: false },
  },
  {
    what: "a program that does not read its input",
    request: { runtime: "command", command: ["true"], stdin: "x".repeat(1_000_000) },
    expected: { exitCode: 0, exitReason: "exited" },
  },
];

for (const { what, request, expected } of cases) {
  test(`${what} is run and told as it ended`, async () => {
    const result = await server.client.execute(request);
    const told = Object.fromEntries(
      Object.keys(expected).map((key) => [key, result[key as keyof ExecuteResult]]),
    );
    assert.deepEqual(told, expected, result.stderr);
    const record = await server.client.invocation(result.invocationId);
    assert.equal(record.kind, "execute");
    assert.equal(record.runtime, request.runtime);
    assert.equal(record.functionName, undefined);
    assert.equal(record.exitCode, result.exitCode);
    assert.equal(record.exitReason, result.exitReason);
  });
}

test("a stream tells of output as it is written, and then how it ended", async () => {
  const source = "echo begun; sleep 0.5; echo oops >&2; exit 3";
  const seen: ExecuteEvent[] = [];
  const atMs: number[] = [];
  for await (const event of server.client.streamExecute({ runtime: "bash", code: { source } })) {
    seen.push(event);
    atMs.push(performance.now());
  }
  assert.deepEqual(
    seen.map((event) => (event.type === "output" ? event.stream : event.type)).slice(0, 2),
    ["started", "stdout"],
  );
  const end = seen.at(-1);
  assert.ok(end?.type === "end");
  assert.deepEqual([end.exitCode, end.exitReason], [3, "exited"]);
  assert.ok((atMs.at(-1) ?? 0) - (atMs[1] ?? 0) > 300, "the output came with the end");
  const record = await server.client.invocation(end.invocationId);
  assert.equal(record.stdout, "begun\n");
});

test("a stream is bounded as the record is, byte for byte, and cut with a mark", async () => {
  const code = { source: "head -c 200000 /dev/urandom | tee /tmp/x; sha256sum < /tmp/x >&2" };
  const request = { runtime: "bash", code, outputBytes: 150_000 } as const;
  const pieces = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  let isCut = false;
  for await (const event of server.client.streamExecute(request)) {
    if (event.type === "output") pieces[event.stream].push(Buffer.from(event.text, event.encoding));
    if (event.type === "end") isCut = event.stdoutTruncated;
  }
  assert.deepEqual([Buffer.concat(pieces.stdout).length, isCut], [150_000, true]);
  assert.match(Buffer.concat(pieces.stderr).toString(), /^[0-9a-f]{64} /);
});

test("a stream that cannot begin is refused, and one that is left is cancelled", async () => {
  const refused = server.client.streamExecute({ runtime: "bash" });
  assert.equal((await problemOf(refused.next())).code, "invalid_argument");
  const stream = server.client.streamExecute({ runtime: "bash", code: { source: "sleep 600" } });
  const started = (await stream.next()).value as ExecuteEvent;
  assert.ok(started.type === "started");
  await stream.return(undefined);
  const cancelled = async (): Promise<true | undefined> => {
    const { items } = await server.client.invocations({ status: "cancelled" });
    return items.some(({ id }) => id === started.invocationId) ? true : undefined;
  };
  await poll("see it cancelled", cancelled, { timeoutMs: 20_000 });
});

test("what was run leaves neither code nor container on the host", async () => {
  await nothingLeft(server.config.stateDir);
  assert.deepEqual(await readdir(join(server.config.stateDir, "tasks")), []);
});
