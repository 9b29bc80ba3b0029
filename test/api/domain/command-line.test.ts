import assert from "node:assert/strict";
import { test } from "node:test";
import { commandLine } from "../../../api/domain/command-line.ts";
import { executeRequest, type ExecuteRequestInput } from "../../../api/schema/execute.ts";

const code = { source: "x" };

function programOf(request: ExecuteRequestInput, ...paths: string[]): string[] {
  const files = paths.map((path) => ({ path, mode: 0o644, bytes: new Uint8Array() }));
  const line = commandLine(executeRequest.parse(request), files);
  return files.length === 0 ? line : line.slice(4);
}

const lines: { what: string; request: ExecuteRequestInput; paths: string[]; program: string[] }[] =
  [
    {
      what: "the only file",
      request: { runtime: "python", code, args: ["a b"] },
      paths: ["any.py"],
      program: ["python3", "any.py", "a b"],
    },
    {
      what: "main among several files",
      request: { runtime: "bash", code },
      paths: ["lib.sh", "main.sh"],
      program: ["bash", "main.sh"],
    },
    {
      what: "index among several files",
      request: { runtime: "node", code },
      paths: ["a.ts", "index.ts"],
      program: ["node", "index.ts"],
    },
    {
      what: "the entry that is named",
      request: { runtime: "node", code, entry: "a.ts" },
      paths: ["a.ts", "index.ts"],
      program: ["node", "a.ts"],
    },
    {
      what: "a command without code",
      request: { runtime: "command", command: ["echo", "a"], args: ["b"] },
      paths: [],
      program: ["echo", "a", "b"],
    },
    {
      what: "a command with code",
      request: { runtime: "command", command: ["./run"], code },
      paths: ["run"],
      program: ["./run"],
    },
  ];

for (const { what, request, paths, program } of lines) {
  test(`${what} is what runs`, () => {
    assert.deepEqual(programOf(request, ...paths), program);
  });
}

test("nothing of a request becomes part of the shell's own script", () => {
  const evil = "'; rm -rf / #";
  const request = { runtime: "bash", code, entry: evil, args: [evil] } as const;
  const files = [{ path: evil, mode: 0o644, bytes: new Uint8Array() }];
  const line = commandLine(executeRequest.parse(request), files);
  assert.deepEqual(line.slice(0, 2), ["/bin/sh", "-c"]);
  assert.ok(!line[2]?.includes("rm -rf"));
  assert.deepEqual(line.slice(-2), [evil, evil]);
});

const unclear: { what: string; request: ExecuteRequestInput; paths: string[]; said: RegExp }[] = [
  {
    what: "an entry that is not there",
    request: { runtime: "node", code, entry: "b.js" },
    paths: ["a.js"],
    said: /no file "b\.js"/,
  },
  {
    what: "several files of which none is main",
    request: { runtime: "node", code },
    paths: ["a.js", "lib/main.js"],
    said: /has 2 files/,
  },
  { what: "no files", request: { runtime: "node", code }, paths: [], said: /has 0 files/ },
];

for (const { what, request, paths, said } of unclear) {
  test(`with ${what} there is no telling what to run`, () => {
    assert.throws(() => programOf(request, ...paths), { code: "invalid_argument", message: said });
  });
}
