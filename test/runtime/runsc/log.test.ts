import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import {
  lastError,
  lastErrorOf,
  removeLogs,
  type Trace,
  type TraceName,
  traceOf,
} from "../../../runtime/runsc/log.ts";
import { SandboxLog } from "../../../runtime/runsc/sandbox-log.ts";

const error = (msg: string): string => JSON.stringify({ msg, level: "error", time: "t" });
const warning = JSON.stringify({ msg: "careful", level: "warning", time: "t" });

const logs: [string, string, string | undefined][] = [
  ["an empty log", "", undefined],
  ["no error among the entries", warning, undefined],
  ["one error", error("first"), "first"],
  ["two errors with nothing between them", error("first") + error("second"), "second"],
  ["a newline between them", `${error("first")}\n${error("second")}\n`, "second"],
  ["a warning after the error", error("first") + warning, "first"],
  ["blanks around the message", error("  spaced \n"), "spaced"],
  ["a tail that was cut", error("first") + error("second").slice(0, -9), "first"],
  ["a tail that was cut inside a string", `${error("first")}{"msg":"sec`, "first"],
  ["braces and quotes inside the message", error('} { "a\\" }'), '} { "a\\" }'],
  ["rubbish before an entry", `}} "x" ${error("first")}`, "first"],
  ["a message that is no text", '{"msg":4,"level":"error"}', undefined],
  ["an object inside", '{"a":{"level":"error","msg":"inner"},"level":"info"}', undefined],
];
for (const [name, text, expected] of logs) {
  test(`row 34: the last error of ${name}`, () => assert.equal(lastError(text), expected));
}

const started = "I1 sandbox.go:1208] Sandbox started, PID: 42\n";
const ended = (status: number): string => `I1 main.go:222] Exiting with status: ${status}\n`;
const indirect =
  "I1 Wait RPC to container failed. Will try waiting on the sandbox process instead.\n";
const none = {
  waitStatus: undefined,
  shellStatus: undefined,
  crash: undefined,
  sandboxPid: undefined,
};

const traces: { name: string; own: string; sandbox?: string; expected: Partial<Trace> }[] = [
  { name: "nothing", own: "", expected: {} },
  { name: "a sandbox", own: `${started}I1 more\n`, expected: { sandboxPid: 42 } },
  { name: "an end", own: started + ended(768), expected: { waitStatus: 768, sandboxPid: 42 } },
  { name: "words of an end before the end", own: `${ended(1)}I1 more\n`, expected: {} },
  {
    name: "an end that the command missed and the sandbox noted",
    own: indirect + ended(143 << 8),
    sandbox: ended(15),
    expected: { waitStatus: 15 },
  },
  {
    name: "an end that neither noted",
    own: indirect + ended(137 << 8),
    sandbox: "I1 still going\n",
    expected: { shellStatus: 137 },
  },
  {
    name: "a sandbox that crashed",
    own: indirect + ended(2 << 8),
    sandbox: "I1 still going\npanic: unable to activate mm\n\ngoroutine 1 [running]:\n",
    expected: { crash: "panic: unable to activate mm" },
  },
  {
    name: "an end that neither noted, with words of a crash in its log",
    own: indirect + ended(3 << 8),
    sandbox: "EXEC: [sh -c echo\npanic: at the disco]\n",
    expected: { shellStatus: 3 },
  },
  {
    name: "a sandbox that ended as a crash does and whose notes nobody took",
    own: indirect + ended(2 << 8),
    expected: { crash: "nothing is noted of why" },
  },
  {
    name: "an end that the command missed, of a sandbox whose notes nobody took",
    own: indirect + ended(7 << 8),
    expected: { shellStatus: 7 },
  },
  {
    name: "a sandbox that was killed",
    own: indirect + ended(9),
    sandbox: "I1 still going\n",
    expected: { waitStatus: 9 },
  },
];
for (const { name, own, sandbox, expected } of traces) {
  test(`the trace of ${name}`, async () => {
    await using file = await newFile("");
    await writeFile(`${file.path}.run`, own);
    const log = sandbox === undefined ? undefined : new SandboxLog();
    log?.write(Buffer.from(sandbox ?? ""));
    const trace = traceOf(runAt(file.path), log);
    assert.deepEqual(trace, { ...none, ...expected });
  });
}

test("a file that is not there holds neither an error nor a trace", async () => {
  assert.equal(lastErrorOf("/nowhere/at/all"), undefined);
  assert.deepEqual(traceOf(runAt("/nowhere/at/all")), none);
});

test("removed logs leave nothing", async () => {
  await using file = await newFile("");
  for (const end of ["run", "boot"]) await writeFile(`${file.path}.${end}`, "x");
  removeLogs(file.path, runAt(file.path));
  assert.deepEqual(await readdir(dirname(file.path)), []);
});

test("the last error of a file", async () => {
  await using file = await newFile(error("first"));
  assert.equal(lastErrorOf(file.path), "first");
});

test("a sandbox that notes without end costs no memory, and its last words and its crash are known", () => {
  const log = new SandboxLog();
  log.write(Buffer.from("panic: out of luck\ngoroutine 1\n"));
  const line = Buffer.from(`${"EXEC: ".repeat(1000)}\n`);
  for (let i = 0; i < 5000; i++) log.write(line);
  log.write(Buffer.from(ended(15)));
  assert.ok(log.tail.length < 10_000 && log.tail.endsWith(ended(15)));
  assert.equal(log.crash, "panic: out of luck");
});

function runAt(prefix: string): TraceName {
  return { prefix, command: "run", hasSandbox: true };
}

async function newFile(text: string): Promise<AsyncDisposable & { path: string }> {
  const directory = await mkdtemp(join(tmpdir(), "runlet-test-"));
  const path = join(directory, "log");
  await writeFile(path, text);
  return { path, [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true }) };
}
