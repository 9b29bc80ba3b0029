import assert from "node:assert/strict";
import { cp, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import PQueue from "p-queue";
import { signalNumber, type SignalName } from "../../runtime/container/exit.ts";
import type { Invocation } from "../../api/schema/invocation.ts";
import { amount } from "../support/amount.ts";
import { problemOf } from "../support/problem.ts";
import { nothingLeft } from "../support/sandboxes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { tempDir } from "../support/temp-dir.ts";

/** What a record says of an end. */
type End = Pick<Invocation, "exitCode" | "exitSignal" | "exitReason">;

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { maxConcurrency: 8 } });
  await server.client.deploy("script", {
    runtime: "command",
    command: ["/bin/sh", "-c", 'read line; eval "$line"'],
  });
});
after(async () => await server[Symbol.asyncDispose]());

const signals: SignalName[] = ["SIGTERM", "SIGKILL", "SIGSEGV", "SIGABRT"];
const functions = amount({ short: 100, long: 1000 });
/** First those that mean something to runsc or a shell, then the others from all over. */
const codes = [0, 1, 2, 126, 127, 128, 129, 137, 143, 255];
for (let code = 0; codes.length < 256; code = (code + 13) % 256) {
  if (!codes.includes(code)) codes.push(code);
}

test(`each of ${functions} functions that exit at once has its own exit code or signal on record`, async () => {
  const cases = Array.from({ length: functions }, (_, index) => {
    const turn = Math.floor(index / 4);
    const signal = signals[turn % signals.length] ?? "SIGTERM";
    return index % 4 === 0 ? dying(signal) : exiting(codes[(index - turn - 1) % codes.length] ?? 0);
  });
  const queue = new PQueue({ concurrency: 8 });
  const wrong: unknown[] = [];
  await queue.addAll(
    cases.map(({ script, end }) => async () => {
      const recorded = endOf(await server.client.invocation(await invokedId(script)));
      if (JSON.stringify(recorded) !== JSON.stringify(end)) wrong.push({ script, recorded });
    }),
  );
  assert.deepEqual(wrong, []);
  await nothingLeft(server.config.stateDir);
});

test("an exit with 128 + n is told from a death by signal n, to the caller and on record", async () => {
  for (const signal of signals) {
    const code = 128 + signalNumber(signal);
    const exited = await problemOf(server.client.invoke("script", { event: `exit ${code}` }));
    const died = await problemOf(server.client.invoke("script", { event: dying(signal).script }));
    assert.deepEqual(exited.exit, { code, reason: "exited" });
    assert.deepEqual(died.exit, { code, reason: "signaled", signal });
    assert.match(exited.detail, new RegExp(`exited with code ${code}`));
    assert.match(died.detail, new RegExp(`killed by ${signal}`));
  }
});

test("a program's exit 128 is not taken for a failure of runsc", async () => {
  const problem = await problemOf(server.client.invoke("script", { event: "exit 128" }));
  assert.equal(problem.code, "function_error");
  assert.deepEqual(problem.exit, { code: 128, reason: "exited" });
  const record = await server.client.invocation(problem.invocationId ?? "");
  assert.deepEqual(endOf(record), exiting(128).end);
  assert.equal(record.error?.code, "function_error");
});

const unstartable: { what: string; command: string[]; said: RegExp }[] = [
  {
    what: "is not in the image",
    command: ["/no/such"],
    said: /failed to load \/no\/such: no such file/,
  },
  { what: "is not on the path", command: ["nosuch"], said: /executable "nosuch".*no such file/ },
  { what: "is a directory", command: ["/tmp"], said: /failed to load \/tmp: permission denied/ },
];

for (const { what, command, said } of unstartable) {
  test(`a program that ${what} is a failure of the runtime and not the function's exit 128`, async () => {
    await server.client.deploy("unstartable", { runtime: "command", command });
    await assertRuntimeFailed(server, "unstartable", said);
  });
}

test("a damaged image is a failure of the runtime and not the function's exit 128", async () => {
  await using images = await tempDir();
  await damagedImage(server.config.imagesDir, images.file("default"));
  await using damaged = await startTestServer({ overrides: { imagesDir: images.path } });
  await damaged.client.deploy("true", { runtime: "command", command: ["true"] });
  await assertRuntimeFailed(damaged, "true", /./);
  await nothingLeft(damaged.config.stateDir);
});

function exiting(code: number): { script: string; end: End } {
  return { script: `exit ${code}`, end: { exitCode: code, exitReason: "exited" } };
}

function dying(signal: SignalName): { script: string; end: End } {
  const exitCode = 128 + signalNumber(signal);
  const script = `kill -${signal.slice(3)} $$`;
  return { script, end: { exitCode, exitSignal: signal, exitReason: "signaled" } };
}

function endOf({ exitCode, exitSignal, exitReason }: Invocation): End {
  return {
    ...(exitCode !== undefined && { exitCode }),
    ...(exitSignal !== undefined && { exitSignal }),
    ...(exitReason !== undefined && { exitReason }),
  };
}

/** Invokes the script function and answers the id of the invocation, well or not as it ended. */
async function invokedId(script: string): Promise<string> {
  const response = await server.fetch("/v1/functions/script/invocations", {
    method: "POST",
    body: script,
  });
  await response.arrayBuffer();
  const id = response.headers.get("runlet-invocation-id");
  assert.ok(id, `${script}: no invocation, status ${response.status}`);
  return id;
}

async function assertRuntimeFailed(on: TestServer, name: string, said: RegExp): Promise<void> {
  const problem = await problemOf(on.client.invoke(name));
  assert.equal(problem.status, 500);
  assert.equal(problem.code, "runtime_failed");
  assert.match(problem.detail, said);
  const record = await on.client.invocation(problem.invocationId ?? "");
  assert.equal(record.status, "failed");
  assert.equal(record.exitReason, "failed");
  assert.equal(record.error?.code, "runtime_failed");
}

/** A copy of the default image whose file has its size and nothing else of it. */
async function damagedImage(imagesDir: string, home: string): Promise<void> {
  await cp(join(imagesDir, "default", "image.json"), join(home, "image.json"));
  const manifest = await readFile(join(home, "image.json"), "utf8");
  const { digest, sizeBytes } = JSON.parse(manifest) as { digest: string; sizeBytes: number };
  const file = join(home, `${digest}.erofs`);
  await writeFile(file, "");
  await truncate(file, sizeBytes);
}
