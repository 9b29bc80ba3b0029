import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { ApiError } from "../../api/client/client.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { poolFloor: 1, poolMax: 4 } });
});
after(async () => await server[Symbol.asyncDispose]());

const secrets = { TOKEN: "token" };
const readers: Readonly<Record<string, FunctionSpecInput>> = {
  node: { runtime: "node", code: { source: "export const handler = () => process.env.TOKEN;" } },
  python: {
    runtime: "python",
    code: { source: "import os\ndef handler(event, context):\n    return os.environ['TOKEN']\n" },
  },
  command: { runtime: "command", command: ["sh", "-c", 'printf %s "$TOKEN"'] },
};

for (const [runtime, spec] of Object.entries(readers)) {
  test(`a ${runtime} function gets the secrets that it names in its environment`, async () => {
    await server.client.setSecret("token", "first value");
    const { version } = await server.client.deploy(runtime, { ...spec, secrets });
    assert.deepEqual(version.secrets, secrets);
    assert.equal(await answerOf(runtime), "first value");
  });
}

for (const isolation of ["fresh", "reuse"] as const) {
  test(`after a secret has changed no ${isolation} function is called with the old value`, async () => {
    const name = `changes-${isolation}`;
    await server.client.setSecret("changing", "value 0");
    const spec: FunctionSpecInput = { runtime: "node", isolation, secrets: { TOKEN: "changing" } };
    const wait = "await new Promise((done) => setTimeout(done, Number(ms)));";
    const source = `export const handler = async (ms) => { ${wait} return process.env.TOKEN; };`;
    await server.client.deploy(name, { ...spec, provisioned: 1, code: { source } });
    for (let round = 1; round <= 3; round++) {
      assert.equal(await answerOf(name, "0"), `value ${round - 1}`);
      const running = answerOf(name, "150");
      await server.client.setSecret("changing", `value ${round}`);
      await running;
      assert.equal(await answerOf(name, "0"), `value ${round}`);
    }
  });
}

test("a secret is listed without its value, and goes once no function names it", async () => {
  await server.client.setSecret("listed", "hidden value");
  const page = await server.fetch("/v1/secrets");
  const text = await page.text();
  assert.match(text, /"name":"listed"/);
  assert.doesNotMatch(text, /hidden value/);
  const spec: FunctionSpecInput = { runtime: "command", command: ["true"] };
  await server.client.deploy("names", { ...spec, secrets: { A: "listed" } });
  await assert.rejects(server.client.removeSecret("listed"), (error) => {
    return refused(error, "failed_precondition", /version 1 of function names needs it/);
  });
  await server.client.removeFunction("names");
  await server.client.removeSecret("listed");
  await assert.rejects(server.client.removeSecret("listed"), (error) => {
    return refused(error, "not_found", /it does not exist/);
  });
});

test("a function that names a secret that is not there is not deployed", async () => {
  const spec: FunctionSpecInput = { runtime: "command", command: ["true"], secrets: { A: "nope" } };
  await assert.rejects(server.client.deploy("lacks", spec), (error) => {
    return refused(error, "failed_precondition", /secret nope: it does not exist/);
  });
  const both = { ...spec, env: { A: "1" } };
  await assert.rejects(server.client.deploy("lacks", both), (error) => {
    return refused(error, "invalid_argument", /A is in env already/);
  });
});

test("no file of the server holds a value", async () => {
  await server.client.setSecret("at-rest", "value-that-is-only-sealed");
  const { dataDir } = server.config;
  for (const entry of readdirSync(dataDir, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const bytes = readFileSync(join(entry.parentPath, entry.name));
    assert.ok(!bytes.includes("value-that-is-only-sealed"), entry.name);
  }
});

async function answerOf(name: string, event = "{}"): Promise<string> {
  return Buffer.from((await server.client.invoke(name, { event })).body).toString();
}

function refused(error: unknown, code: string, message: RegExp): boolean {
  assert.ok(error instanceof ApiError);
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
}
