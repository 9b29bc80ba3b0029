import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { InvokeAnswer } from "../../api/client/invoke.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { poll } from "../../runtime/deadline.ts";
import { pythonBootstrap } from "../support/bootstrap.ts";
import { eventIn } from "../support/events.ts";
import { followedText, followedTo, following } from "../support/following.ts";
import { problemIn, problemOf } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";
import { stocked } from "../support/stock.ts";

const value = "s3cret-Väl\nue";
const secrets = { TOKEN: "masked" };

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
  await server.client.setSecret("masked", value);
});
after(async () => await server[Symbol.asyncDispose]());

// Each writes its secret in two pieces, and answers it or fails with it.
const node = `const { TOKEN } = process.env;
const later = () => new Promise((done) => setTimeout(done, 30));
export const handler = async ({ fails }) => {
  process.stdout.write("out " + TOKEN.slice(0, 5));
  await later();
  process.stdout.write(TOKEN.slice(5) + "\\n");
  process.stderr.write("err " + TOKEN + "\\n");
  if (fails) throw new Error("refused " + TOKEN);
  process.stdout.write("the end " + TOKEN.slice(0, 6));
  return TOKEN;
};`;
const write = `token = os.environ["TOKEN"]
sys.stdout.write("out " + token[:5])
sys.stdout.flush()
time.sleep(0.03)
sys.stdout.write(token[5:] + "\\n")
sys.stdout.flush()
sys.stderr.write("err " + token + "\\n")
sys.stderr.flush()
fails = json.loads(event)["fails"]
`;
const end = `sys.stdout.write("the end " + token[:6])
sys.stdout.flush()
`;
const python = `import json, os, sys, time
def handle(event):
${indented(`${write}if fails:\n    raise ValueError("refused " + token)\n${end}return token`)}
def handler(event, context):
    return handle(json.dumps(event))
`;
const report = `fail(id, json.dumps({"errorType": "Refusal", "errorMessage": "refused " + token, "stackTrace": ["at " + token]}))
    return`;
const provided = pythonBootstrap(
  `${write}if fails:\n    ${report}\n${end}respond(id, token.encode())`,
);
const shell = `import json, os, sys, time
event = sys.stdin.read()
${write}if fails:
    sys.exit(3)
${end}`;

const runtimes: Readonly<Record<string, FunctionSpecInput>> = {
  node: { runtime: "node", code: { source: node } },
  "warm node": { runtime: "node", isolation: "reuse", code: { source: node } },
  python: { runtime: "python", code: { source: python } },
  provided: { runtime: "provided", code: { source: provided } },
  command: { runtime: "command", command: ["python3", "-c", shell] },
};
for (const [what, spec] of Object.entries(runtimes)) {
  const name = what.replace(" ", "-");

  test(`a ${what} function's secrets are masked in its record, followed output and log tail, and not in its answer`, async () => {
    await server.client.deploy(name, { ...spec, secrets });
    await using followed = await following(server.client, name);
    for (const round of [1, 2]) {
      const answer = await server.client.invoke(name, { event: '{"fails":false}', log: "tail" });
      const stdout = "out ***\nthe end s3cret";
      const whole = `out ${value}\nthe end s3cret`;
      assert.equal(bodyOf(answer), spec.runtime === "command" ? whole : value);
      const record = await server.client.invocation(answer.invocationId);
      assert.deepEqual([record.stdout, record.stderr], [stdout, "err ***\n"]);
      assert.deepEqual([record.stdoutBytes, record.stdoutTruncated], [stdout.length, false]);
      assert.equal(record.answerBytes, Buffer.byteLength(bodyOf(answer)));
      const tail = tailIn(answer.headers);
      // The two streams come in any order.
      assert.match(tail, /out \*\*\*\n/);
      assert.match(tail, /err \*\*\*\n/);
      assert.equal(tail.length, `${stdout}err ***\n`.length);
      const events = await followedTo(followed.events, round);
      assert.equal(followedText(events, "stdout"), stdout.repeat(round));
      assert.equal(followedText(events, "stderr"), "err ***\n".repeat(round));
    }
  });

  test(`a ${what} function's secrets are masked in what is told of its failure`, async () => {
    await server.client.deploy(name, { ...spec, secrets });
    const response = await server.fetch(`/v1/functions/${name}/invocations`, {
      method: "POST",
      headers: { "content-type": "application/json", "runlet-log": "tail" },
      body: '{"fails":true}',
    });
    assert.match(tailIn(response.headers), /out \*\*\*\n/);
    const problem = await problemIn(response);
    const record = await server.client.invocation(problem.invocationId ?? "");
    assert.deepEqual([record.stdout, record.stderr], ["out ***\n", "err ***\n"]);
    assertMasked(problem);
    assertMasked(record);
    if (spec.runtime === "command") return assert.equal(problem.exit?.code, 3);
    assert.match(problem.detail, /refused \*\*\*/);
    assert.equal(problem.functionError?.message, "refused ***");
    assert.equal(record.error?.message, "refused ***");
    assert.match(record.error?.stack ?? "", /\*\*\*/);
  });
}

test("a streamed answer is as its function wrote it, and what breaks it off is masked", async () => {
  const source = `const { TOKEN } = process.env;
export async function* handler() {
  yield TOKEN;
  console.log(TOKEN);
  throw new Error("broke off at " + TOKEN);
}`;
  await server.client.deploy("streams", { runtime: "node", code: { source }, secrets });
  const answer = await server.client.invokeStream("streams");
  const pieces: Uint8Array[] = [];
  const reading = (async (): Promise<void> => {
    for await (const piece of answer.body) pieces.push(piece);
  })();
  await assert.rejects(reading);
  assert.equal(Buffer.concat(pieces).toString(), value);
  const record = await server.client.invocation(answer.invocationId);
  assert.equal(record.stdout, "***\n");
  assert.equal(record.error?.message, "broke off at ***");
});

test("the bound of a command function's answer is that of what it wrote, and its record has what was masked", async () => {
  const spec: FunctionSpecInput = { runtime: "command", command: ["sh", "-c", 'echo "$TOKEN"'] };
  await server.client.setSecret("long", "a-long-secret");
  await server.client.deploy("cut", { ...spec, secrets: { TOKEN: "long" }, outputBytes: 8 });
  const answer = await server.client.invoke("cut");
  assert.equal(bodyOf(answer), "a-long-s");
  assert.equal(answer.headers.get("runlet-truncated"), "true");
  const record = await server.client.invocation(answer.invocationId);
  assert.deepEqual(
    [record.stdout, record.stdoutBytes, record.stdoutTruncated],
    ["***\n", 4, false],
  );
});

for (const [runtime, source] of Object.entries({
  node: `console.error("loading", process.env.TOKEN); throw new Error("no " + process.env.TOKEN);`,
  python: `import os, sys\nsys.stderr.write("loading " + os.environ["TOKEN"])\nraise ValueError(os.environ["TOKEN"])\n`,
} as const)) {
  test(`the secrets of a ${runtime} function that does not load are masked in what its deployer is told`, async () => {
    const spec = { runtime: runtime as "node" | "python", code: { source }, secrets };
    const problem = await problemOf(server.client.deploy("breaks", spec));
    assert.equal(problem.code, "invalid_argument");
    assert.match(problem.detail, /does not load[\s\S]*\*\*\*[\s\S]*loading \*\*\*/);
    assertMasked(problem);
  });
}

test("what a container wrote that was loaded ahead of its call is masked on that call's record", async () => {
  const source = `console.log("loaded with", process.env.TOKEN); export const handler = () => "";`;
  const spec: FunctionSpecInput = { runtime: "node", code: { source }, secrets, provisioned: 1 };
  await server.client.deploy("ahead", spec);
  await stocked(server, 1, "ahead:1 provisioned");
  const answer = await server.client.invoke("ahead");
  assert.equal(answer.start, "pooled");
  const { stdout } = await server.client.invocation(answer.invocationId);
  assert.equal(stdout, "loaded with ***\n");
});

test("a call that began before its secret changed is masked by the value that it was given", async () => {
  await server.client.setSecret("changing", "the first value");
  const source = `import { setTimeout as wait } from "node:timers/promises";
export const handler = async (ms) => { await wait(ms); console.log(process.env.TOKEN); };`;
  const spec: FunctionSpecInput = { runtime: "node", isolation: "reuse", code: { source } };
  await server.client.deploy("changes", { ...spec, secrets: { TOKEN: "changing" } });
  await server.client.invoke("changes", { event: "0" });
  const running = server.client.invoke("changes", { event: "300" });
  await server.client.setSecret("changing", "the second value");
  for (const call of [running, server.client.invoke("changes", { event: "0" })]) {
    const { stdout } = await server.client.invocation((await call).invocationId);
    assert.equal(stdout, "***\n");
  }
});

test("dead letters and what destinations are told of a failure are masked", async () => {
  const { client } = server;
  const print = "export const handler = (event) => console.log(JSON.stringify(event));";
  await client.deploy("told", { runtime: "node", code: { source: print } });
  const source = `export const handler = () => { throw new Error("no " + process.env.TOKEN); };`;
  const async = { maxAttempts: 1, onFailure: { function: "told" } };
  await client.deploy("dies", { runtime: "node", code: { source }, secrets, async });
  const { eventId } = await client.invokeAsync("dies");
  await eventIn(client, eventId, "dead");
  const letter = await client.deadLetter(eventId);
  assert.match(letter.error?.message ?? "", /no \*\*\*/);
  assertMasked(letter);
  const document = await poll(
    "see the destination told",
    async () => {
      const [told] = (await client.invocations({ function: "told", status: "succeeded" })).items;
      return told && (await client.invocation(told.id)).stdout;
    },
    { timeoutMs: 20_000 },
  );
  assert.match(document, /"errorMessage":"no \*\*\*"/);
});

test("a value of less than four bytes is not masked, and a function without secrets masks nothing", async () => {
  await server.client.setSecret("short", "abc");
  const spec: FunctionSpecInput = { runtime: "command", command: ["echo", `abc ${value}`] };
  await server.client.deploy("plain", { ...spec, secrets: { TOKEN: "short" } });
  await server.client.deploy("bare", spec);
  for (const name of ["plain", "bare"]) {
    const { invocationId } = await server.client.invoke(name);
    assert.equal((await server.client.invocation(invocationId)).stdout, `abc ${value}\n`);
  }
});

function bodyOf({ body }: InvokeAnswer): string {
  return Buffer.from(body).toString();
}

function tailIn(headers: Headers): string {
  return Buffer.from(headers.get("runlet-log-tail") ?? "", "base64").toString();
}

function assertMasked(told: unknown): void {
  assert.doesNotMatch(JSON.stringify(told), /s3cret-/);
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "    ");
}
