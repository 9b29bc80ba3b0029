import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startTestServer, type TestServer } from "../../support/server.ts";
import { runlet } from "./runlet.ts";

const main = join(import.meta.dirname, "../../../api/cli/main.ts");
const source = `export async function* handler({ then }) {
  console.log("begun");
  yield "first\\n";
  if (then === "throw") throw new Error("in the middle");
  if (then === "wait") await new Promise((done) => setTimeout(done, 600_000));
  yield "last\\n";
}`;

let server: TestServer;
before(async () => {
  server = await startTestServer();
  await server.client.deploy("lines", { runtime: "node", timeoutMs: 600_000, code: { source } });
});
after(async () => await server[Symbol.asyncDispose]());

test("invoke prints what a function writes while it still runs", async () => {
  const args = [main, "invoke", "lines", '{"then":"wait"}', "--url", server.url];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  try {
    const [chunk] = (await once(child.stdout, "data")) as [Buffer];
    assert.equal(chunk.toString(), "first\n");
    assert.equal(child.exitCode, null);
  } finally {
    child.kill("SIGINT");
    await ended;
  }
});

test("a streamed answer is printed to its end, and is one answer with --json", async () => {
  const plain = await runlet(["invoke", "lines"], { url: server.url });
  assert.deepEqual([plain.exitCode, plain.stdout], [0, "first\nlast\n"]);
  const json = await runlet(["invoke", "lines", "--json"], { url: server.url });
  const { answer } = JSON.parse(json.stdout) as { answer: string };
  assert.equal(answer, "first\nlast\n");
});

test("with --log the end of the output follows the answer, in JSON and without", async () => {
  for (const options of [[], ["--json"]]) {
    const told = await runlet(["invoke", "lines", "--log", ...options], { url: server.url });
    assert.deepEqual([told.exitCode, told.stderr], [0, "begun\n"]);
  }
});

test("an answer that breaks off is a failure that names its record", async () => {
  const broken = await runlet(["invoke", "lines", '{"then":"throw"}'], { url: server.url });
  assert.deepEqual([broken.exitCode, broken.stdout], [1, "first\n"]);
  const [, id = ""] =
    /broke off before its end.*invocations show ([0-9a-f-]{36})/.exec(broken.stderr) ?? [];
  assert.equal((await server.client.invocation(id)).error?.message, "in the middle");
});
