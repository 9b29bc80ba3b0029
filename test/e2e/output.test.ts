import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { amount } from "../support/amount.ts";
import { type ChildServer, startChildServer } from "../support/child-server.ts";

const mebibyte = 1024 * 1024;
const megabytes = amount({ short: 150, long: 1000 });
const longBytes = megabytes * 1_000_000;
const maxGrowthBytes = 100 * mebibyte;

let server: ChildServer;
before(async () => {
  server = await startChildServer();
  await server.client.execute({ runtime: "command", command: ["true"] });
});
after(async () => await server[Symbol.asyncDispose]());

for (const stream of ["stdout", "stderr"] as const) {
  test(`${megabytes} MB on ${stream} costs the server bounded memory, and is cut and says so`, async () => {
    const baseBytes = server.memory().nowBytes;
    const redirect = stream === "stderr" ? " >&2" : "";
    const result = await server.client.execute({
      runtime: "command",
      command: ["/bin/sh", "-c", `head -c ${longBytes} /dev/zero${redirect}`],
      outputBytes: mebibyte,
      timeoutMs: 120_000,
    });
    assert.equal(result.exitReason, "exited");
    assert.equal(result.exitCode, 0);
    const cut = { stdoutTruncated: stream === "stdout", stderrTruncated: stream === "stderr" };
    const { stdoutTruncated, stderrTruncated } = result;
    assert.deepEqual({ stdoutTruncated, stderrTruncated }, cut);
    assert.equal(result[stream].length, mebibyte);
    const record = await server.client.invocation(result.invocationId);
    assert.equal(record[`${stream}Bytes`], longBytes);
    assert.equal(record[`${stream}Truncated`], true);
    const cutMark = `\n[output cut: ${longBytes - mebibyte} more bytes]\n`;
    assert.equal(record[stream].slice(mebibyte), cutMark);
    const growth = server.memory().peakBytes - baseBytes;
    assert.ok(growth < maxGrowthBytes, `the server grew by ${growth} bytes`);
  });
}

test("5 MB of a program's output arrives whole where its bound allows it", async () => {
  const script = `head -c 5000000 /dev/zero | tr '\\0' x; printf end`;
  const result = await server.client.execute({
    runtime: "bash",
    code: { source: `${script}\nprintf errors >&2` },
    outputBytes: 8 * mebibyte,
  });
  assertSame(result.stdout, `${"x".repeat(5_000_000)}end`);
  assert.equal(result.stderr, "errors");
  assert.equal(result.stdoutTruncated, false);
  const record = await server.client.invocation(result.invocationId);
  assert.equal(record.stdoutBytes, 5_000_003);
  assertSame(record.stdout, result.stdout);
});

test("5 MB of a command function's output is its answer and is on record", async () => {
  await server.client.deploy("large", {
    runtime: "command",
    command: ["/bin/sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' y"],
    outputBytes: 8 * mebibyte,
  });
  const answer = await server.client.invoke("large");
  assert.equal(answer.headers.get("runlet-truncated"), null);
  assertSame(Buffer.from(answer.body).toString(), "y".repeat(5_000_000));
  assert.equal((await server.client.invocation(answer.invocationId)).stdoutBytes, 5_000_000);
});

test("a command function's answer that is cut at its bound says so", async () => {
  await server.client.deploy("cut", {
    runtime: "command",
    command: ["printf", "0123456789"],
    outputBytes: 4,
  });
  const answer = await server.client.invoke("cut");
  assert.equal(Buffer.from(answer.body).toString(), "0123");
  assert.equal(answer.headers.get("runlet-truncated"), "true");
  assert.equal((await server.client.invocation(answer.invocationId)).stdoutTruncated, true);
});

const printers: { runtime: "node" | "python"; source: string }[] = [
  {
    runtime: "node",
    source: `export const handler = () => {
      process.stdout.write("p".repeat(5_000_000));
      return "a".repeat(5_000_000);
    };`,
  },
  {
    runtime: "python",
    source: `def handler(event, context):
    print("p" * 5_000_000, end="")
    return "a" * 5_000_000`,
  },
];

for (const { runtime, source } of printers) {
  test(`5 MB that a ${runtime} handler prints arrive whole, and its answer of 5 MB too`, async () => {
    const code = { source };
    await server.client.deploy("printer", { runtime, code, outputBytes: 8 * mebibyte });
    const answer = await server.client.invoke("printer");
    assertSame(Buffer.from(answer.body).toString(), "a".repeat(5_000_000));
    const record = await server.client.invocation(answer.invocationId);
    assertSame(record.stdout, "p".repeat(5_000_000));
    assert.equal(record.answerBytes, 5_000_000);
  });
}

/** Equality of long texts, with a message that can be read. */
function assertSame(actual: string, expected: string): void {
  assert.equal(actual.length, expected.length);
  assert.ok(actual === expected, "of equal length, but not the same");
}
