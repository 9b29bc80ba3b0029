import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import type { CellEvent, CellResult } from "../../api/schema/sandbox-context.ts";
import { problemOf } from "../support/problem.ts";
import { startTestServer } from "../support/server.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const { id } = await client.createSandbox({ memoryBytes: 768 * 1024 * 1024 });
const [python, javascript] = await Promise.all([
  client.openContext(id, { language: "python", env: { GREETING: "grüß" } }),
  client.openContext(id, { language: "javascript" }),
]);
const contexts = { python: python.id, javascript: javascript.id };
type Language = keyof typeof contexts;

async function run(language: Language, code: string, timeoutMs = 20_000): Promise<CellResult> {
  return await client.runCode(id, contexts[language], { code, timeoutMs });
}

async function valueOf(language: Language, code: string): Promise<unknown> {
  const { results, error } = await run(language, code);
  assert.equal(error, undefined, error?.traceback);
  return results.at(-1)?.data["text/plain"];
}

const png = "iVBORw0KGgo=";

suite("contexts", () => {
  const values: [Language, string[], string][] = [
    ["python", ["x = 40", "def f(n):\n    return x + n", "f(2)"], "42"],
    ["python", ["import os", "os.environ['GREETING']"], "'grüß'"],
    [
      "python",
      [
        "import asyncio\nt = asyncio.create_task(asyncio.sleep(0.01, 'task')); await asyncio.sleep(0)",
        "await t",
      ],
      "'task'",
    ],
    ["python", ["import asyncio", "asyncio.run(asyncio.sleep(0, 'run'))"], "'run'"],
    ["python", ["'日本 \\U0001f600'"], "'日本 😀'"],
    ["javascript", ["const a = 1", "const a = 2", "let b = a + 40", "b"], "42"],
    [
      "javascript",
      ["const late = await new Promise((r) => setTimeout(r, 10, 'späte 😀'))", "late"],
      "'späte 😀'",
    ],
    ["javascript", ["class A { n = 1 }", "class A { n = 2 }", "new A()"], "A { n: 2 }"],
    [
      "javascript",
      ["const { sep } = require('node:path')", "[sep, 10n, NaN]"],
      "[ '/', 10n, NaN ]",
    ],
  ];
  for (const [language, cells, expected] of values) {
    test(`${language} keeps what cells leave behind: ${cells.join("; ")}`, async () => {
      let value: unknown;
      for (const code of cells) value = await valueOf(language, code);
      assert.equal(value, expected);
    });
  }

  test("results are told by media type, beside what is written and before what comes after", async () => {
    const { stdout, stderr, results, status } = await run(
      "python",
      `import sys
class Rich:
    def __repr__(self): return "rich"
    def _repr_html_(self): return "<b>rich</b>"
    def _repr_png_(self): return b"\\x89PNG\\r\\n\\x1a\\n"
    def _repr_json_(self): return {"deep": [1, None]}
    def _repr_mimebundle_(self, include=None, exclude=None): return {"text/markdown": "*rich*"}
print("out"); print("err", file=sys.stderr)
display(1, {"text/html": "<i>"})
display({"text/html": "<i>"}, raw=True)
Rich()`,
    );
    assert.deepEqual([status, stdout.text, stderr.text], ["ok", "out\n", "err\n"]);
    assert.deepEqual(
      results.map(({ data }) => data),
      [
        { "text/plain": "1" },
        { "text/plain": "{'text/html': '<i>'}" },
        { "text/html": "<i>" },
        {
          "text/plain": "rich",
          "text/markdown": "*rich*",
          "text/html": "<b>rich</b>",
          "image/png": png,
          "application/json": { deep: [1, null] },
        },
      ],
    );
    assert.deepEqual(
      results.map(({ isMain }) => isMain),
      [false, false, false, true],
    );
  });

  test("javascript shows what it is handed, and what values say of themselves", async () => {
    const { stdout, results } = await run(
      "javascript",
      `console.log("out");
display({ "text/html": "<b>", "application/json": { a: [1] } }, { raw: true });
({ [Symbol.for("Jupyter.display")]: () => ({ "image/png": Buffer.from("${png}", "base64"), "text/plain": "rich" }) })`,
    );
    assert.equal(stdout.text, "out\n");
    assert.deepEqual(
      results.map(({ data }) => data),
      [
        { "text/html": "<b>", "application/json": { a: [1] } },
        { "image/png": png, "text/plain": "rich" },
      ],
    );
  });

  const errors: [Language, string, string, string, RegExp][] = [
    [
      "python",
      "y = 1\n\ny / 0",
      "ZeroDivisionError",
      "division by zero",
      /line 3, in <module>\n {4}y \/ 0\n/,
    ],
    ["python", "def g(:\n  pass", "SyntaxError", "", /def g\(:/],
    ["python", "import sys\nsys.exit(3)", "SystemExit", "3", /line 2/],
    ["python", "display({'html': 1}, raw=True)", "ValueError", "no media type", /line 1/],
    ["javascript", "display({ html: 1 }, { raw: true })", "TypeError", "no media type", /cell-/],
    ["javascript", "1;\nnull.field", "TypeError", "", /cell-\d+:2:6/],
    ["javascript", "1;\nlet 5", "SyntaxError", "", /cell-\d+:2:5/],
    ["javascript", "await 1;\nthrow new RangeError('far')", "RangeError", "far", /cell-\d+:2:7/],
    ["javascript", "await import('node:fs')", "TypeError", "require() loads", /cell-/],
    ["javascript", "throw 'text'", "string", "'text'", /text/],
  ];
  for (const [language, code, name, message, traceback] of errors) {
    test(`${language} tells of an error and where it came from: ${code.split("\n").at(-1)}`, async () => {
      const { status, error, contextState } = await run(language, code);
      assert.deepEqual([status, error?.name, contextState], ["error", name, "idle"]);
      assert.ok(error?.message.includes(message), error?.message);
      assert.match(error?.traceback ?? "", traceback);
    });
  }

  const loops: [Language, string][] = [
    ["python", "while True: pass"],
    ["python", "import time; time.sleep(600)"],
    ["python", "import subprocess; subprocess.run(['sleep', '600'])"],
    ["python", "import asyncio; await asyncio.sleep(600)"],
    ["javascript", "while (true) {}"],
    ["javascript", "await new Promise((resolve) => setTimeout(resolve, 600_000))"],
  ];
  for (const [language, code] of loops) {
    test(`${language} is interrupted and keeps its state: ${code}`, async () => {
      await run(language, "kept = 7");
      let interrupted: Promise<void> | undefined;
      for await (const event of client.streamCode(id, contexts[language], { code })) {
        if (event.type === "started") interrupted = client.interruptContext(id, contexts[language]);
        if (event.type === "end") assert.equal(event.status, "interrupted");
      }
      await interrupted;
      assert.equal(await valueOf(language, "kept"), "7");
    });
  }

  test("a cell over its time is interrupted, and the context goes on", async () => {
    const { status, error, contextState } = await run("python", "while True: pass", 300);
    assert.deepEqual([status, error?.name, contextState], ["timeout", "KeyboardInterrupt", "idle"]);
    assert.equal(await valueOf("python", "1 + 1"), "2");
  });

  test("one that does not heed that ends with its context, which says so", async () => {
    const stubborn = (await client.openContext(id, { language: "python" })).id;
    const code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass";
    const { status, message, contextState } = await client.runCode(id, stubborn, {
      code,
      timeoutMs: 200,
    });
    assert.deepEqual([status, contextState], ["timeout", "ended"]);
    assert.match(message ?? "", /did not end when it was interrupted/);
    const listed = (await client.contexts(id)).items.find((each) => each.id === stubborn);
    assert.equal(listed?.state, "ended");
    const problem = await problemOf(client.runCode(id, stubborn, { code: "1" }));
    assert.equal(problem.code, "failed_precondition");
    await client.removeContext(id, stubborn);
  });

  const deaths: [Language, string, RegExp][] = [
    ["python", "import os; print('last', flush=True); os._exit(3)", /code 3/],
    [
      "python",
      `import os; print("last", flush=True)
for fd in range(3, 500):
    try: os.write(fd, b'garbage' * 10)
    except OSError: pass`,
      /wrote to the context's messages what is none/,
    ],
    ["javascript", "console.log('last'); process.kill(process.pid, 'SIGKILL')", /signal 9/],
  ];
  for (const [language, code, message] of deaths) {
    test(`the death of a ${language} context is told in the cell and in the list`, async () => {
      const { id: dying } = await client.openContext(id, { language });
      const [result, waiting] = await Promise.all([
        client.runCode(id, dying, { code }),
        client.runCode(id, dying, { code: "1" }),
      ]);
      assert.deepEqual(
        [result.status, result.contextState, waiting.status],
        ["ended", "ended", "ended"],
      );
      assert.equal(result.stdout.text, "last\n");
      assert.match(result.message ?? "", message);
      const listed = (await client.contexts(id)).items.find((each) => each.id === dying);
      assert.match(listed?.endReason ?? "", message);
      await client.removeContext(id, dying);
    });
  }

  test("what processes write is output, in its place before the result", async () => {
    const code = `import os, subprocess
print("one"); subprocess.run(["echo", "two"]); os.write(1, b"three\\n"); print("four", end="")
5`;
    const types: string[] = [];
    let text = "";
    for await (const event of client.streamCode(id, contexts.python, { code })) {
      if (event.type === "output") text += event.text;
      if (types.at(-1) !== event.type) types.push(event.type);
    }
    assert.equal(text, "one\ntwo\nthree\nfour");
    assert.deepEqual(types, ["started", "output", "result", "end"]);
    const { stdout } = await run(
      "javascript",
      "require('child_process').execSync('echo child', { stdio: 'inherit' }); 1",
    );
    assert.equal(stdout.text, "child\n");
  });

  test("a flood is cut at its bound and told of, and results that are too long are", async () => {
    const { stdout, results, status } = await client.runCode(id, contexts.python, {
      code: "print('x' * 5_000_000); display({'image/png': 'y' * 3_000_000}, raw=True); 'z' * 3_000_000",
      outputBytes: 1000,
    });
    assert.equal(status, "ok");
    assert.deepEqual([stdout.text.length, stdout.droppedBytes], [1000, 4_999_001]);
    assert.deepEqual(results[0], { data: {}, isMain: false, cut: ["image/png"] });
    assert.deepEqual(results[1]?.cut, ["text/plain"]);
    assert.equal(String(results[1]?.data["text/plain"]).length, 2 * 1024 * 1024);
    const many = await run("javascript", "for (let n = 0; n < 1200; n++) display(n)");
    assert.deepEqual([many.results.length, many.droppedResults], [1000, 200]);
  });

  test("a result that is forged from outside ends the context instead", async () => {
    const { id: forged } = await client.openContext(id, { language: "python" });
    const code = `import glob, subprocess
script = """
import os, json
me = os.getppid()
for fd in os.listdir('/proc/%d/fd' % me):
    try:
        out = os.open('/proc/%d/fd/%s' % (me, fd), os.O_WRONLY)
        if int(fd) < 3: continue
        head = json.dumps({"type": "result", "token": "x", "data": {"text/plain": "forged"}, "isMain": True, "cut": []}).encode()
        os.write(out, (4 + len(head)).to_bytes(4, "big") + len(head).to_bytes(4, "big") + head)
    except OSError: pass
"""
subprocess.run(["python3", "-c", script])
"real"`;
    const { results, status } = await client.runCode(id, forged, { code });
    assert.ok(
      results.every(
        ({ data }) => data["text/plain"] !== "'forged'" && data["text/plain"] !== "forged",
      ),
    );
    assert.equal(status, "ended");
    await client.removeContext(id, forged);
  });

  test("contexts see nothing of each other, and are bounded", async () => {
    await run("python", "mine = 1");
    const { id: other } = await client.openContext(id, { language: "python", cwd: "/tmp" });
    const { error } = await client.runCode(id, other, { code: "mine" });
    assert.equal(error?.name, "NameError");
    const { results } = await client.runCode(id, other, { code: "import os; os.getcwd()" });
    assert.equal(results[0]?.data["text/plain"], "'/tmp'");
    await client.removeContext(id, other);
    const left = (await client.contexts(id)).items.map(({ state }) => state);
    assert.deepEqual(left, ["idle", "idle"]);
  });

  test("a language that the sandbox does not have is refused with what is missing", async () => {
    const spec = { language: "javascript", env: { PATH: "/nowhere" } } as const;
    const problem = await problemOf(client.openContext(id, spec));
    assert.equal(problem.code, "failed_precondition");
    assert.match(problem.detail, /image default has no node/);
  });

  test("cells take turns, and who goes away interrupts one", async () => {
    const stream = client.streamCode(id, contexts.python, { code: "import time; time.sleep(600)" });
    assert.equal(((await stream.next()).value as CellEvent).type, "started");
    const next = valueOf("python", "'next'");
    await stream.return(undefined);
    assert.equal(await next, "'next'");
  });
});
