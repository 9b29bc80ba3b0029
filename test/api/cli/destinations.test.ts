import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { FunctionVersion } from "../../../api/schema/function.ts";
import { poll } from "../../../runtime/deadline.ts";
import { isSigned, type Receiver, startReceiver } from "../../support/receiver.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { type Ended, runlet } from "./runlet.ts";

let server: TestServer;
let receiver: Receiver;
before(async () => {
  server = await startTestServer({ overrides: { allowPrivateCallbacks: true } });
  receiver = await startReceiver();
  await printed("deploy", "--name", "tell", "--", "cat");
});
after(async () => {
  await receiver[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test("runlet.json names who is told, what is typed wins, and the rest of its policy stays", async () => {
  await using dir = await tempDir();
  const own = { maxAttempts: 1, onSuccess: { function: "tell" } };
  const project = { name: "work", runtime: "node", async: own };
  await writeFile(dir.file("runlet.json"), JSON.stringify(project));
  await writeFile(dir.file("index.mjs"), "export const handler = (event) => ({ got: event });");
  await printed("deploy", dir.path);
  await printed("invoke", "work", '{"a": 1}', "--async");
  const told = await poll("see tell print", logsOfTell, { timeoutMs: 30_000 });
  assert.match(told, /"condition":"Success".*"responsePayload":\{"got":\{"a":1\}\}/);
  const typed = await printed("deploy", dir.path, "--on-failure", "tell:$LATEST", "--json");
  const { async: policy } = JSON.parse(typed) as FunctionVersion;
  assert.deepEqual([policy.maxAttempts, policy.onSuccess], [1, { function: "tell" }]);
  assert.deepEqual(policy.onFailure, { function: "tell:$LATEST" });
});

test("deploy --on-failure tells a URL, which what the secret signs is sent to", async () => {
  const key = await runlet(["secrets", "set", "key"], { url: server.url, input: "sesame" });
  assert.equal(key.exitCode, 0, key.stderr);
  const where = ["--on-failure", `${receiver.url}/failed`, "--callback-secret", "key"];
  await printed("deploy", "--name", "breaks", "--max-attempts", "1", ...where, "--", "false");
  await printed("invoke", "breaks", "--async");
  const [request] = await receiver.until(1);
  assert.ok(request !== undefined && isSigned(request, "sesame"));
  assert.equal(request.path, "/failed");
  assert.match(request.body, /"condition":"RetriesExhausted"/);
});

test("deploy --if-match deploys only onto the revision that it names", async () => {
  const deploy = ["deploy", "--name", "held", "--json"];
  const { revisionId } = JSON.parse(await printed(...deploy, "--", "true")) as FunctionVersion;
  await printed(...deploy, "--if-match", revisionId, "--", "echo", "2");
  const late = await run(...deploy, "--if-match", revisionId, "--", "echo", "3");
  assert.equal(late.exitCode, 1);
  assert.equal((JSON.parse(late.stderr) as { code: string }).code, "condition_not_met");
});

async function logsOfTell(): Promise<string | undefined> {
  return (await printed("logs", "--function", "tell")) || undefined;
}

async function run(...args: string[]): Promise<Ended> {
  return await runlet(args, { url: server.url });
}

/** Runs a command that must succeed, and answers what it printed. */
async function printed(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run(...args);
  assert.equal(exitCode, 0, stderr);
  return stdout;
}
