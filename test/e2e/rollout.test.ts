import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { poll } from "../../runtime/deadline.ts";
import { amount } from "../support/amount.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { ready, stocked } from "../support/stock.ts";

const timeoutMs = 60_000;
const switches = amount({ short: 4, long: 10 });
const callers = 8;

for (const isolation of ["reuse", "fresh"] as const) {
  test(`no caller of ${isolation} containers fails or sees an older version while versions are deployed and an alias moves`, async () => {
    await using server = await startTestServer({ overrides: { poolFloor: 2, poolMax: 8 } });
    const { client } = server;
    await client.deploy("rolled", { ...numbered(1), isolation });
    await client.putAlias("rolled", "live", { version: 1 });
    const known = { live: 1, $LATEST: 1 };
    const over = new AbortController();
    let calls = 0;
    const keepCalling = async (qualifier: keyof typeof known): Promise<void> => {
      while (!over.signal.aborted) {
        const oldest = known[qualifier];
        const version = await answerOf(server, `rolled:${qualifier}`);
        assert.ok(version >= oldest, `${qualifier} gave ${version} after ${oldest}`);
        calls++;
      }
    };
    const all = Array.from({ length: callers }, async (_, index) => {
      await keepCalling(index % 2 === 0 ? "live" : "$LATEST");
    });
    const rollOut = async (): Promise<void> => {
      for (let version = 2; version <= switches + 1; version++) {
        await client.deploy("rolled", { ...numbered(version), isolation });
        known.$LATEST = version;
        await client.putAlias("rolled", "live", { version });
        known.live = version;
      }
    };
    await Promise.all([rollOut().finally(() => over.abort()), ...all]);
    const failed = await client.invocations({ function: "rolled", status: "failed" });
    assert.deepEqual(failed, { items: [] });
    assert.ok(calls > switches * 2, `${calls} calls`);
    assert.equal(await answerOf(server, "rolled:live"), switches + 1);
  });
}

test("warm containers stay for as long as an alias names their version", async () => {
  await using server = await startTestServer({ overrides: { poolMax: 4 } });
  const { client } = server;
  const source = "let calls = 0; export const handler = () => ++calls;";
  const spec: FunctionSpecInput = { runtime: "node", isolation: "reuse", code: { source } };
  await client.deploy("kept", spec);
  await client.putAlias("kept", "live", { version: 1 });
  assert.equal(await answerOf(server, "kept:live"), 1);
  await client.deploy("kept", { ...spec, env: { NEW: "1" } });
  assert.equal(await answerOf(server, "kept:live"), 2);
  await client.putAlias("kept", "live", { version: 2 });
  const probe = async (): Promise<true | undefined> =>
    (await ready(server)).get("warm") === 0 ? true : undefined;
  await poll("see it go", probe, { timeoutMs });
  assert.equal(await answerOf(server, "kept:live"), 1);
});

test("provisioned containers follow the versions that aliases name, also across a restart", async () => {
  await using directory = await tempDir();
  const dataDir = directory.file("data");
  const secretKeyFile = directory.file("data", "secret.key");
  const overrides = { poolMax: 6, dataDir, secretKeyFile };
  {
    await using server = await startTestServer({ overrides });
    const { client } = server;
    for (const version of [1, 2])
      await client.deploy("ahead", { ...numbered(version), provisioned: 1 });
    await stocked(server, 1, "ahead:2 provisioned");
    assert.equal((await ready(server)).get("ahead:1 provisioned"), undefined);
    const second = { version: 1, weight: 0.5 };
    await client.putAlias("ahead", "live", { version: 2, second });
    await stocked(server, 1, "ahead:1 provisioned");
  }
  await using server = await startTestServer({ overrides });
  await stocked(server, 1, "ahead:1 provisioned");
  await stocked(server, 1, "ahead:2 provisioned");
  await server.client.removeAlias("ahead", "live");
  const probe = async (): Promise<true | undefined> =>
    (await ready(server)).has("ahead:1 provisioned") ? undefined : true;
  await poll("see the stock of version 1 go", probe, { timeoutMs });
  await stocked(server, 1, "ahead:2 provisioned");
});

/** A function whose versions answer with their numbers. */
function numbered(version: number): FunctionSpecInput {
  return { runtime: "node", code: { source: `export const handler = () => ${version};` } };
}

async function answerOf(server: TestServer, name: string): Promise<number> {
  return Number(Buffer.from((await server.client.invoke(name)).body).toString());
}
