import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { startTestServer } from "../../support/server.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { runlet } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url } = server;

const nodeCode = "export const handler = (event) => ({ got: event });\n";
const pythonCode = "def handler(event, context):\n    return {'got': event}\n";

const deployments: {
  what: string;
  files: Record<string, string>;
  args: string[];
  name: string;
  runtime: string;
  answer: string;
}[] = [
  {
    what: "a JavaScript file",
    files: { "My fn.mjs": nodeCode },
    args: ["My fn.mjs"],
    name: "My-fn",
    runtime: "node",
    answer: '{"got":{"a":1}}',
  },
  {
    what: "TypeScript in several files, as it is",
    files: {
      "ts/index.ts":
        'import { next, type Count } from "./lib/next.ts";\n' +
        "export const handler = (event: { a: Count }): object => ({ next: next(event.a) });\n",
      "ts/lib/next.ts":
        "export type Count = number;\nexport const next = (n: Count): Count => n + 1;\n",
    },
    args: ["ts"],
    name: "ts",
    runtime: "node",
    answer: '{"next":2}',
  },
  {
    what: "a Python file",
    files: { "p.py": pythonCode },
    args: ["p.py", "--name", "py"],
    name: "py",
    runtime: "python",
    answer: '{"got":{"a":1}}',
  },
  {
    what: "a shell script",
    files: { "count.sh": "wc -c\n" },
    args: ["count.sh"],
    name: "count",
    runtime: "command",
    answer: "7\n",
  },
  {
    what: "a program of another language",
    files: { shebang: "#!/usr/bin/env python3\nprint(6 * 7)\n" },
    args: ["shebang"],
    name: "shebang",
    runtime: "command",
    answer: "42\n",
  },
  {
    what: "a directory without its .git",
    files: {
      "app/index.mjs":
        'import { readdirSync } from "node:fs"; import { word } from "./lib/word.mjs";\n' +
        "export const handler = () => [word, readdirSync(import.meta.dirname).sort()];\n",
      "app/lib/word.mjs": 'export const word = "deep";\n',
      "app/.git/config": "secret",
      "app/@at": "",
    },
    args: ["app"],
    name: "app",
    runtime: "node",
    answer: '["deep",["@at","index.mjs","lib"]]',
  },
  {
    what: "a directory with a main.sh",
    files: { "job/main.sh": "cat data.txt\n", "job/data.txt": "data\n" },
    args: ["job/"],
    name: "job",
    runtime: "command",
    answer: "data\n",
  },
  {
    what: "a command of the image, with options of its own",
    files: {},
    args: ["--name", "cut", "--", "tr", "-d", "a"],
    name: "cut",
    runtime: "command",
    answer: '{"":1}',
  },
  {
    what: "a directory and a command of it",
    files: { "tools/say.sh": 'echo "$1 $GREETING"\n' },
    args: ["tools", "--env", "GREETING=hi", "--", "bash", "say.sh", "--json"],
    name: "tools",
    runtime: "command",
    answer: "--json hi\n",
  },
];

for (const { what, files, args, name, runtime, answer } of deployments) {
  test(`deploy takes ${what}`, async () => {
    await using dir = await tempDir();
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(dir.file(path)), { recursive: true });
      await writeFile(dir.file(path), content);
    }
    const deployed = await runlet(["deploy", ...args], { url, cwd: dir.path });
    assert.equal(deployed.exitCode, 0, deployed.stderr);
    assert.equal(deployed.stdout, `Deployed ${name} version 1 (${runtime})\n`);
    const invoked = await runlet(["invoke", name, '{"a":1}'], { url });
    assert.equal(invoked.exitCode, 0, invoked.stderr);
    assert.equal(invoked.stdout, answer);
  });
}

test("deploy passes every limit and option on, and tells when nothing changed", async () => {
  await using dir = await tempDir();
  await writeFile(
    dir.file("all.mjs"),
    "export const other = () => process.env.A + process.env.HOME_TOWN;",
  );
  const args = ["deploy", "all.mjs", "--handler", "all.other", "-e", "A=1=2", "-e", "HOME_TOWN"];
  args.push("--timeout-ms", "5000", "--memory-bytes", "128MiB", "--tmp-bytes", "2MiB");
  args.push("--cpus", "0.5", "--pids", "64");
  args.push("--output-bytes", "1000", "--image", "default", "--concurrency", "3");
  args.push("--queue-limit", "7", "--max-attempts", "2");
  args.push("--public", "--cors-origin", "https://a.example", "https://b.example");
  args.push("--isolation", "reuse", "--keep-alive-ms", "1000", "--provisioned", "0");
  const options = { url, cwd: dir.path, env: { HOME_TOWN: "Ulm" } };
  const first = await runlet([...args, "--json"], options);
  assert.equal(first.exitCode, 0, first.stderr);
  const { codeDigest, createdAtUs, revisionId, ...version } = JSON.parse(first.stdout) as Record<
    string,
    unknown
  >;
  assert.match(String(codeDigest), /^[0-9a-f]{64}$/);
  assert.equal(typeof createdAtUs, "number");
  assert.equal(typeof revisionId, "string");
  assert.deepEqual(version, {
    name: "all",
    version: 1,
    created: true,
    runtime: "node",
    handler: "all.other",
    image: "default",
    env: { A: "1=2", HOME_TOWN: "Ulm" },
    secrets: {},
    timeoutMs: 5000,
    memoryBytes: 128 * 1024 * 1024,
    cpus: 0.5,
    pids: 64,
    tmpBytes: 2 * 1024 * 1024,
    isolation: "reuse",
    keepAliveMs: 1000,
    concurrency: 3,
    queueLimit: 7,
    provisioned: 0,
    async: { maxAttempts: 2, maxAgeMs: 21_600_000, backoffMs: 60_000 },
    http: {
      public: true,
      cors: {
        origins: ["https://a.example", "https://b.example"],
        methods: ["*"],
        headers: ["*"],
        exposeHeaders: [],
        credentials: false,
      },
    },
    outputBytes: 1000,
  });
  const again = await runlet(args, options);
  assert.equal(again.stdout, "Nothing changed: all version 1 (node)\n");
});

test("deploy tells of the build of dependencies, and shows its log where it fails", async () => {
  await using dir = await tempDir();
  await mkdir(dir.file("needy/local"), { recursive: true });
  const write = async (path: string, content: unknown): Promise<void> =>
    await writeFile(dir.file(`needy/${path}`), JSON.stringify(content));
  await write("package.json", {
    dependencies: { local: "file:./local" },
    scripts: { postinstall: "echo it is broken; exit 3" },
  });
  await write("local/package.json", { name: "local", version: "1.0.0" });
  await writeFile(dir.file("needy/index.mjs"), nodeCode);
  const options = { url, cwd: dir.path };
  const built = await runlet(["deploy", "needy"], options);
  assert.match(
    built.stdout,
    /^Installed dependencies: runlet logs [\w-]{36}\nDeployed needy version 1/,
  );
  const again = await runlet(["deploy", "needy"], options);
  assert.match(again.stdout, /^Dependencies as installed before: .*\nNothing changed/);
  const args = ["deploy", "needy", "--dependencies", "install-with-scripts"];
  const { exitCode, stderr } = await runlet(args, options);
  assert.equal(exitCode, 1);
  assert.match(stderr, /npm could not install.*\n[^]*it is broken[^]*runlet logs [\w-]{36}/);
  const id = /runlet logs ([\w-]{36})/.exec(stderr)?.[1] ?? "";
  const log = await runlet(["logs", id], options);
  assert.match(log.stdout + log.stderr, /it is broken/);
  const list = await runlet(["invocations", "--kind", "build"], { url });
  assert.match(list.stdout, / needy +failed /);
});

test("what is typed wins over runlet.json, and variables of both are set", async () => {
  await using dir = await tempDir();
  const project = {
    name: "typed",
    runtime: "node",
    timeoutMs: 5000,
    cpus: 0.5,
    env: { A: "1", B: "1" },
  };
  await writeFile(dir.file("runlet.json"), JSON.stringify(project));
  await writeFile(dir.file("index.mjs"), nodeCode);
  const args = ["deploy", ".", "--timeout-ms", "6000", "-e", "B=2", "--json"];
  const { stdout, stderr } = await runlet(args, { url, cwd: dir.path });
  const { name, timeoutMs, cpus, env } = JSON.parse(stdout || stderr) as Record<string, unknown>;
  const expected = { name: "typed", timeoutMs: 6000, cpus: 0.5, env: { A: "1", B: "2" } };
  assert.deepEqual({ name, timeoutMs, cpus, env }, expected);
});

test("what runlet.json says wrongly is refused by its name", async () => {
  await using dir = await tempDir();
  await writeFile(dir.file("runlet.json"), JSON.stringify({ name: "wrong", timeoutMS: 5000 }));
  await writeFile(dir.file("index.mjs"), nodeCode);
  const { exitCode, stderr } = await runlet(["deploy", "."], { url, cwd: dir.path });
  assert.equal(exitCode, 1);
  assert.match(stderr, /timeoutMS/);
});

test("without a check, code that does not load is deployed, and a check finds it all the same", async () => {
  await using dir = await tempDir();
  await writeFile(dir.file("unloadable.mjs"), "export const handler = (;");
  const options = { url, cwd: dir.path };
  const deployed = await runlet(["deploy", "unloadable.mjs", "--no-check"], options);
  assert.equal(deployed.stdout, "Deployed unloadable version 1 (node)\n", deployed.stderr);
  const invoked = await runlet(["invoke", "unloadable"], options);
  assert.equal(invoked.exitCode, 1);
  assert.match(invoked.stderr, /SyntaxError[^]*\(function_error\)/);
  const checked = await runlet(["deploy", "unloadable.mjs"], options);
  assert.equal(checked.exitCode, 1);
  assert.match(checked.stderr, /Cannot deploy unloadable: it does not load/);
  await server.client.removeFunction("unloadable");
});

const refused: { what: string; files: Record<string, string>; args: string[]; says: RegExp }[] = [
  {
    what: "a path that is not there",
    files: {},
    args: ["nope"],
    says: /Cannot deploy nope: no such/,
  },
  {
    what: "a file of no known runtime",
    files: { "notes.txt": "hello" },
    args: ["notes.txt"],
    says: /Cannot tell the runtime of .*notes.txt: name it with --runtime/,
  },
  {
    what: "a directory of no known runtime",
    files: { "d/notes.txt": "hello" },
    args: ["d"],
    says: /Cannot tell the runtime of .*: name it with --runtime/,
  },
  {
    what: "a directory without its program",
    files: { "d/notes.txt": "hello" },
    args: ["d", "--runtime", "command"],
    says: /it has none of main, .*Name it after --/,
  },
  {
    what: "code that does not load",
    files: { "broken.mjs": "export const handler = (;" },
    args: ["broken.mjs"],
    says: /^error: Cannot deploy broken: .* \(invalid_argument\)\n[^]*SyntaxError/,
  },
  {
    what: "TypeScript that cannot be stripped, naming it and its place",
    files: {
      "d/index.ts":
        'import { Colour } from "./colour.ts";\nexport const handler = () => Colour.Red;',
      "d/colour.ts": "export const a: number = 1;\nexport enum Colour { Red }",
    },
    args: ["d"],
    says: /colour\.ts:2[^]*TypeScript enum is not supported in strip-only mode/,
  },
  {
    what: "a name that cannot be",
    files: { "a.mjs": nodeCode },
    args: ["a.mjs", "--name", "../a"],
    says: /./,
  },
];

for (const { what, files, args, says } of refused) {
  test(`deploy refuses ${what} with 1 and leaves no function`, async () => {
    await using dir = await tempDir();
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(dir.path, path)), { recursive: true });
      await writeFile(dir.file(path), content);
    }
    const before = await server.client.functions();
    const { exitCode, stdout, stderr } = await runlet(["deploy", ...args], { url, cwd: dir.path });
    assert.deepEqual({ exitCode, stdout }, { exitCode: 1, stdout: "" }, stderr);
    assert.match(stderr, says);
    assert.deepEqual(await server.client.functions(), before);
  });
}
