import assert from "node:assert/strict";
import test from "node:test";
import { poll } from "../../../runtime/deadline.ts";
import { errorOf, loadedGuest, NativeGuest, type Source } from "./native-guest.ts";

type PerRuntime<T> = Readonly<Record<"node" | "python", T>>;

const runtimes = ["node", "python"] as const;

/** Handlers that evaluate the text of their event. */
const evaluators: PerRuntime<Source> = {
  node: {
    "index.cjs":
      "exports.handler = async function handler(event, context) { return await eval(event); };",
  },
  python: {
    "main.py": [
      "import os, sys, json, builtins, subprocess, threading",
      "def handler(event, context):",
      "    scope = dict(globals(), result=None)",
      "    exec(event, scope)",
      "    return scope['result']",
    ].join("\n"),
  },
};

const text = { contentType: "text/plain" };

for (const runtime of runtimes) {
  test(`${runtime}: all that was printed is in the pipes before the answer is`, async () => {
    const prints: PerRuntime<string> = {
      node: "process.stdout.write('o'.repeat(3e6)); console.error('e'.repeat(1e6)); console.log('end'); 1",
      python:
        "sys.stdout.write('o' * 3000000)\nsys.stderr.write('e' * 1000000)\nsys.stdout.write('end')\nresult = 1",
    };
    const failure: PerRuntime<string> = {
      node: "process.stdout.write('last words'); throw 1",
      python: "sys.stdout.write('last words')\nraise Exception()",
    };
    for (const [code, type, size, end] of [
      [prints[runtime], "result", 3_000_003, "end"],
      [failure[runtime], "error", 10, "last words"],
    ] as const) {
      await using guest = await loadedGuest(runtime, evaluators[runtime]);
      const { message } = await guest.invoke(Buffer.from(code), text);
      guest.process.kill("SIGKILL");
      assert.equal(message.type, type);
      const { stdout } = await guest.end();
      assert.equal(stdout.trimEnd().length, size);
      assert.ok(stdout.trimEnd().endsWith(end));
    }
  });

  test(`${runtime}: a line that was printed is in the pipe while the handler still runs`, async () => {
    const code: PerRuntime<string> = {
      node: "console.log('line'); process.kill(process.pid, 'SIGKILL')",
      python: "print('line')\nos.kill(os.getpid(), 9)",
    };
    await using guest = await loadedGuest(runtime, evaluators[runtime]);
    await assert.rejects(guest.invoke(Buffer.from(code[runtime]), text), /the guest ended/);
    assert.equal((await guest.end()).stdout, "line\n");
  });

  const exits: PerRuntime<[string, number][]> = {
    node: [
      ["process.exit(0)", 0],
      ["process.exit(7)", 7],
      ["process.exitCode = 9; process.exit()", 9],
      ["setImmediate(() => process.exit(3)); new Promise(() => {})", 3],
    ],
    python: [
      ["sys.exit(0)", 0],
      ["sys.exit(7)", 7],
      ["sys.exit('a text')", 1],
      ["os._exit(8)", 8],
      ["raise SystemExit(5)", 5],
      ["import asyncio\nasync def f(): sys.exit(6)\nresult = f()", 6],
    ],
  };
  for (const [code, exitCode] of exits[runtime]) {
    test(`${runtime}: ${JSON.stringify(code)} really ends the process with ${exitCode}`, async () => {
      await using guest = await loadedGuest(runtime, evaluators[runtime]);
      const before =
        runtime === "node" ? "console.log('x'.repeat(2e6));" : "print('x' * 2000000)\n";
      await assert.rejects(guest.invoke(Buffer.from(before + code), text), /the guest ended/);
      const { code: seen, stdout } = await guest.end();
      assert.equal(seen, exitCode);
      assert.equal(stdout.length, 2_000_001);
    });
  }

  test(`${runtime}: an exit at import ends the process with its code`, async () => {
    await using guest = await NativeGuest.start(runtime);
    const source = { "index.mjs": "process.exit(4)", "main.py": "import sys\nsys.exit(4)" };
    await assert.rejects(guest.load(source), /the guest ended/);
    assert.equal((await guest.end()).code, 4);
  });

  test(`${runtime}: children do not inherit the channel`, async () => {
    const script = "ls -l /proc/self/fd/3 2>&1; readlink /proc/$PPID/fd/3";
    const code: PerRuntime<string> = {
      node: `require("node:child_process").execSync(${JSON.stringify(script)}).toString()`,
      python: `result = subprocess.run(${JSON.stringify(script)}, shell=True, close_fds=False, stdout=-1).stdout.decode()`,
    };
    await using guest = await loadedGuest(runtime, evaluators[runtime]);
    const { body } = await guest.invoke(Buffer.from(code[runtime]), text);
    const [inChild, inRunner] = body.toString().trim().split("\n");
    assert.match(inRunner ?? "", /^socket:/);
    assert.ok(!inChild?.includes(inRunner ?? ""), body.toString());
  });

  test(`${runtime}: what user code does to globals after it is loaded does not break the runner`, async () => {
    const vandalism: PerRuntime<string> = {
      node: `JSON.parse = JSON.stringify = Date.now = process.exit = () => { throw new Error("broken") };
        performance.now = console.error = JSON.parse; process.stdout.write = () => true;
        globalThis.Buffer = globalThis.process = globalThis.Uint8Array = undefined; "done"`,
      python: [
        "def broken(*a, **k): raise Exception('broken')",
        "json.loads = json.dumps = json.JSONEncoder.encode = os.read = os.write = os.readv = broken",
        "import time; time.time = time.perf_counter_ns = os._exit = broken",
        "sys.stdout = sys.stderr = sys.__stdout__ = None",
        "result = 'done'",
      ].join("\n"),
    };
    await using guest = await loadedGuest(runtime, evaluators[runtime]);
    const first = await guest.invoke(Buffer.from(vandalism[runtime]), text);
    assert.equal(first.body.toString(), "done", JSON.stringify(first.message));
    const good =
      runtime === "node" ? "[context.getRemainingTimeInMillis() > 0]" : "result = [True]";
    assert.equal((await guest.invoke(Buffer.from(good), text)).body.toString(), "[true]");
    const bad = runtime === "node" ? "throw new Error('still')" : "raise Exception('still')";
    const { message } = errorOf((await guest.invoke(Buffer.from(bad), text)).message);
    assert.equal(message, "still");
    guest.channel.close();
    assert.equal((await guest.end()).code, 0);
  });
}

test("node: what only `node -e` has as globals is not there", async () => {
  const names =
    "['require','module','exports','__filename','__dirname','fs','os','path','child_process']";
  const kept = "['process','console','crypto','performance','Buffer','fetch','navigator']";
  await using guest = await loadedGuest("node", {
    "index.mjs": `export default () => ({
      gone: ${names}.filter((name) => name in globalThis),
      kept: ${kept}.filter((name) => globalThis[name] === undefined),
      subtle: typeof crypto.subtle, execArgv: process.execArgv });`,
  });
  const { body } = await guest.invoke();
  assert.equal(body.toString(), '{"gone":[],"kept":[],"subtle":"object","execArgv":[]}');
});

test("node: forks and workers run their own code and not the runner", async () => {
  await using guest = await loadedGuest("node", {
    "index.mjs": `import { fork } from "node:child_process"; import { Worker } from "node:worker_threads";
      import { once } from "node:events";
      export default async () => [
        (await once(fork("./child.mjs"), "message"))[0],
        (await once(new Worker("./worker.mjs"), "message"))[0],
      ];`,
    "child.mjs": `process.send("child"); process.disconnect();`,
    "worker.mjs": `import { parentPort } from "node:worker_threads"; parentPort.postMessage("worker");`,
  });
  assert.equal((await guest.invoke()).body.toString(), '["child","worker"]');
});

test("node: an error that nobody catches while a handler runs is told, and ends the process as node does", async () => {
  for (const code of [
    "setImmediate(() => { throw new RangeError('loose') }); new Promise(() => {})",
    "Promise.reject(new RangeError('loose')); new Promise(() => {})",
  ]) {
    await using guest = await loadedGuest("node", evaluators.node);
    const error = errorOf((await guest.invoke(Buffer.from(code), text)).message);
    assert.deepEqual([error.name, error.message], ["RangeError", "loose"]);
    const { code: exitCode, stderr } = await guest.end();
    assert.equal(exitCode, 1);
    assert.match(stderr, /RangeError: loose\n\s+at /);
  }
});

test("node: an error that nobody catches between invocations ends the process and is no answer", async () => {
  await using guest = await loadedGuest("node", evaluators.node);
  const code = "setImmediate(() => setImmediate(() => { throw new Error('loose') })); 'answer'";
  assert.equal((await guest.invoke(Buffer.from(code), text)).body.toString(), "answer");
  await assert.rejects(guest.receive(), /the guest ended/);
  const { code: exitCode, stderr } = await guest.end();
  assert.equal(exitCode, 1);
  assert.match(stderr, /Error: loose/);
});

const leftBehind: { what: string; code: string }[] = [
  { what: "a timer", code: "setTimeout(() => console.log('late'), 50)" },
  { what: "a tick", code: "process.nextTick(() => console.log('late'))" },
  { what: "an immediate", code: "setImmediate(() => console.log('late'))" },
  {
    what: "a promise of work in another thread",
    code: "import('node:fs/promises').then((fs) => fs.stat('/')).then(() => console.log('late'))",
  },
  {
    what: "a child process",
    code: "import('node:child_process').then((it) => it.exec('echo late', (_, out) => console.log(out)))",
  },
];

for (const { what, code } of leftBehind) {
  test(`node: ${what} that a handler leaves behind comes to its end without a further event`, async () => {
    await using guest = await loadedGuest("node", evaluators.node);
    const answer = await guest.invoke(Buffer.from(`${code}; 'answer'`), text);
    assert.equal(answer.body.toString(), "answer");
    await poll("see it", () => (guest.stdout.includes("late") ? true : undefined), {
      timeoutMs: 10_000,
    });
  });
}

for (const code of [
  "Promise.reject(new Error('loose'))",
  "process.nextTick(() => { throw new Error('loose') })",
]) {
  test(`node: an error left behind by ${code.slice(0, 16)} ends the process after its answer`, async () => {
    await using guest = await loadedGuest("node", evaluators.node);
    const answer = await guest.invoke(Buffer.from(`${code}; 'answer'`), text);
    // Ticks come before the promises of the answer.
    if (answer.message.type === "result") assert.equal(answer.body.toString(), "answer");
    else assert.equal(errorOf(answer.message).message, "loose");
    const { code: exitCode, stderr } = await guest.end();
    assert.equal(exitCode, 1);
    assert.match(stderr, /Error: loose/);
  });
}

test("node: user code that catches the errors it leaves behind takes the next event", async () => {
  await using guest = await loadedGuest("node", evaluators.node);
  const code = `process.on('uncaughtException', () => {});
    queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => { throw new Error('loose') })));
    process.nextTick(() => process.nextTick(() => { throw new Error('loose') })); 1`;
  for (let left = 3; left > 0; left--) {
    assert.equal((await guest.invoke(Buffer.from(code), text)).body.toString(), "1");
  }
});

test("node: user code that catches all errors itself goes on and answers", async () => {
  await using guest = await loadedGuest("node", evaluators.node);
  const code = `new Promise((resolve) => { process.on('uncaughtException', (error) => resolve(error.message));
    setImmediate(() => { throw new Error('caught') }); })`;
  assert.equal((await guest.invoke(Buffer.from(code), text)).body.toString(), "caught");
});

test("node: warnings of user code are seen, those about missing package.json files are not", async () => {
  await using guest = await loadedGuest("node", {
    "package.json": "{}",
    "index.mts": "export { default } from './lib.js';",
    "lib.js": "export default () => { process.emitWarning('mine'); return 1; };",
  });
  assert.equal((await guest.invoke()).body.toString(), "1");
  guest.channel.close();
  const { stderr } = await guest.end();
  assert.match(stderr, /Warning: mine/);
  assert.doesNotMatch(stderr, /MODULE_TYPELESS|Experimental/);
});

test("python: one event loop serves all invocations", async () => {
  await using guest = await loadedGuest("python", {
    "main.py": [
      "import asyncio",
      "loops = set()",
      "async def handler(event, context):",
      "    loops.add(asyncio.get_running_loop())",
      "    await asyncio.sleep(0)",
      "    return len(loops)",
    ].join("\n"),
  });
  assert.equal((await guest.invoke()).body.toString(), "1");
  assert.equal((await guest.invoke()).body.toString(), "1");
});

test("python: a forked child that returns from the handler does not answer", async () => {
  await using guest = await loadedGuest("python", evaluators.python);
  const code = "pid = os.fork()\nresult = 'child'\nif pid: result = [os.waitpid(pid, 0)[1]]";
  for (let round = 0; round < 3; round++) {
    const { body } = await guest.invoke(Buffer.from(code), text);
    assert.equal(body.toString(), "[0]");
  }
});

test("python: the handler's modules do not see the runner's working directory or bytecode", async () => {
  await using guest = await loadedGuest("python", {
    "main.py":
      "import sys, os, helper\ndef handler(e, c): return [sys.path[0] == os.getcwd(), '' in sys.path, os.path.exists('__pycache__')]",
    "helper.py": "",
  });
  assert.equal((await guest.invoke()).body.toString(), "[true,false,false]");
});
