import assert from "node:assert/strict";
import test from "node:test";
import { encodeFrame } from "../../../runtime/guest/frame.ts";
import type { InvokeMessage } from "../../../runtime/guest/messages.ts";
import { errorOf, loadedGuest, loadMessage, NativeGuest, type Source } from "./native-guest.ts";

type PerRuntime<T> = Readonly<Record<"node" | "python", T>>;

const runtimes = ["node", "python"] as const;
const invoke: InvokeMessage = { type: "invoke", id: "a", deadlineAtMs: 0 };

const echo: PerRuntime<Source> = {
  node: { "index.mjs": "export default (event) => event;" },
  python: { "main.py": "def handler(event, context):\n    return event\n" },
};

for (const runtime of runtimes) {
  test(`${runtime}: the runner says hello at once`, async () => {
    await using guest = await NativeGuest.start(runtime);
    const { hello } = guest;
    assert.ok(hello.type === "hello");
    assert.equal(hello.runtime, runtime);
    const version = runtime === "node" ? process.versions.node : /^3\.\d+\.\d+$/;
    assert.match(hello.runtimeVersion, new RegExp(version));
  });

  test(`${runtime}: loaded tells how long it took`, async () => {
    await using guest = await NativeGuest.start(runtime);
    const message = await guest.load(echo[runtime]);
    assert.ok(message.type === "loaded" && message.loadUs > 0, JSON.stringify(message));
  });

  test(`${runtime}: one guest answers many invocations, each with its own id`, async () => {
    const counters: PerRuntime<Source> = {
      node: { "index.mjs": "let n = 0; export default () => ++n;" },
      python: {
        "main.py": "n = 0\ndef handler(event, context):\n  global n\n  n += 1\n  return n\n",
      },
    };
    await using guest = await loadedGuest(runtime, counters[runtime]);
    for (let n = 1; n <= 300; n++) {
      const { message, body } = await guest.invoke({}, { id: `inv-${n}` });
      assert.deepEqual(message, {
        type: "result",
        id: `inv-${n}`,
        contentType: "application/json",
      });
      assert.equal(body.toString(), String(n));
    }
  });

  test(`${runtime}: a warmed guest loads and answers as any other, and sees nothing of it`, async () => {
    const seers: PerRuntime<Source> = {
      node: {
        "index.mjs": `import { readdirSync } from "node:fs"; import { tmpdir } from "node:os";
          const files = readdirSync(tmpdir()).filter((name) => name.startsWith("warm-"));
          export default () => ({ files, argv: process.argv.length });`,
      },
      python: {
        "main.py": [
          "import os, sys",
          "files = [name for name in os.listdir('/tmp') if name == f'warm-{os.getpid()}']",
          "left = [m for m in sys.modules if 'warm' in m] + [p for p in sys.path if 'warm' in p]",
          "def handler(e, c): return {'files': files + left, 'argv': len(sys.argv) + 1}",
        ].join("\n"),
      },
    };
    await using guest = await NativeGuest.start(runtime);
    for (let round = 0; round < 2; round++) {
      await guest.channel.send({ type: "warm" });
      assert.deepEqual((await guest.receive()).message, { type: "warmed" });
    }
    assert.equal((await guest.load(seers[runtime])).type, "loaded");
    assert.equal((await guest.invoke()).body.toString(), '{"files":[],"argv":2}');
  });

  test(`${runtime}: invoke may follow load without waiting`, async () => {
    await using guest = await NativeGuest.start(runtime);
    const { message, body } = loadMessage(echo[runtime], { root: guest.root });
    void guest.channel.send(message, body);
    void guest.channel.send(invoke, Buffer.from("[1]"));
    assert.equal((await guest.receive()).message.type, "loaded");
    assert.equal((await guest.receive()).body.toString(), "[1]");
  });

  test(`${runtime}: after a load that failed, invocations are ignored until the end`, async () => {
    await using guest = await NativeGuest.start(runtime);
    assert.equal((await guest.load({ "a.txt": "", "b.txt": "" })).type, "load_error");
    await guest.channel.send(invoke);
    await guest.channel.send({ ...invoke, id: "b" });
    guest.channel.close();
    assert.equal((await guest.end()).code, 0);
  });

  test(`${runtime}: the context tells about function, invocation and deadline`, async () => {
    const sources: PerRuntime<Source> = {
      node: {
        "index.mjs": `export default (event, c) => ({
          ...c, left: c.getRemainingTimeInMillis(), isWhole: Number.isInteger(c.getRemainingTimeInMillis()) });`,
      },
      python: {
        "main.py": `def handler(event, c):
    left = c.get_remaining_time_in_millis()
    return dict(invocationId=c.invocation_id, traceparent=c.traceparent, traceId=c.trace_id, awsRequestId=c.aws_request_id, left=left,
      functionName=c.function_name, functionVersion=c.function_version, isWhole=type(left) is int,
      memoryLimitInMB=c.memory_limit_in_mb, memoryLimitBytes=c.memory_limit_bytes, deadlineAtMs=c.deadline_at_ms)`,
      },
    };
    await using guest = await loadedGuest(runtime, sources[runtime]);
    const deadlineAtMs = Date.now() + 3_600_000;
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const { left, ...rest } = JSON.parse(
      (await guest.invoke({}, { id: "inv-9", traceparent, deadlineAtMs })).body.toString(),
    ) as { left: number };
    assert.ok(left > 3_000_000 && left <= 3_600_000, String(left));
    assert.deepEqual(rest, {
      invocationId: "inv-9",
      traceparent,
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      awsRequestId: "inv-9",
      functionName: "greet",
      functionVersion: "7",
      memoryLimitInMB: 128,
      memoryLimitBytes: 128 * 1024 * 1024,
      deadlineAtMs,
      isWhole: true,
    });
    const late = await guest.invoke({}, { deadlineAtMs: Date.now() - 1000 });
    assert.match(late.body.toString(), /"left":0/);
  });

  test(`${runtime}: the stack of an error shows user code and none of the runner`, async () => {
    const sources: PerRuntime<Source> = {
      node: {
        "index.mjs":
          "export const handler = async () => {\n  await null;\n  throw new Error('no');\n};",
      },
      python: { "main.py": "async def handler(event, context):\n    raise Exception('no')\n" },
    };
    await using guest = await loadedGuest(runtime, sources[runtime]);
    const { stack } = errorOf((await guest.invoke()).message);
    assert.match(stack, runtime === "node" ? /index\.mjs:3:9/ : /main\.py", line 2, in handler/);
    assert.doesNotMatch(stack, /runlet:runner|linked|in run\b/);
  });

  test(`${runtime}: when the host closes the channel the runner exits with 0, even while a handler runs`, async () => {
    await using idle = await loadedGuest(runtime, echo[runtime]);
    idle.channel.close();
    assert.deepEqual(await idle.end(), { code: 0, stdout: "", stderr: "" });

    const busy = {
      "index.mjs": "export default () => { console.log('in'); return new Promise(() => {}); }",
      "main.py": "import time\ndef handler(e, c):\n  print('in')\n  time.sleep(0.2)\n  return 1\n",
    };
    await using guest = await loadedGuest(runtime, busy);
    await guest.channel.send(invoke);
    guest.channel.close();
    const { code, stderr } = await guest.end();
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  });

  const unparsable: [string, Buffer][] = [
    ["garbage", Buffer.alloc(64, 0xff)],
    ["a length below 4", Buffer.from("0000000300000000", "hex")],
    ["a header longer than its frame", Buffer.from("0000000600000009", "hex").fill(0, 8)],
    ["no JSON", frameOf("{{")],
    ["a list", frameOf("[]")],
    ["an unknown type", frameOf('{"type":"reboot"}')],
    ["a load without files", frameOf('{"type":"load"}')],
    ["an invoke before any load", Buffer.concat(encodeFrame(invoke))],
  ];
  for (const [what, bytes] of unparsable) {
    test(`${runtime}: ${what} makes the runner exit with 70`, async () => {
      await using guest = await NativeGuest.start(runtime);
      const padded = Buffer.concat([bytes, Buffer.alloc(64)]);
      guest.process.stdio[3]?.on("error", () => undefined);
      (guest.process.stdio[3] as NodeJS.WritableStream).write(padded);
      const { code, stderr } = await guest.end();
      assert.equal(code, 70);
      assert.match(stderr, /^runlet: .+\n$/);
    });
  }

  test(`${runtime}: a second load makes the runner exit with 70`, async () => {
    await using guest = await loadedGuest(runtime, echo[runtime]);
    await guest.channel.send(loadMessage(echo[runtime]).message);
    assert.equal((await guest.end()).code, 70);
  });

  test(`${runtime}: warming up after load makes the runner exit with 70`, async () => {
    await using guest = await loadedGuest(runtime, echo[runtime]);
    await guest.channel.send({ type: "warm" });
    assert.equal((await guest.end()).code, 70);
  });
}

function frameOf(text: string): Buffer {
  const frame = Buffer.alloc(8 + text.length);
  frame.writeUInt32BE(4 + text.length, 0);
  frame.writeUInt32BE(text.length, 4);
  frame.write(text, 8);
  return frame;
}
