import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import type { Invocation } from "../../api/schema/invocation.ts";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { tempDir } from "../support/temp-dir.ts";

const source = "export const handler = (ms) => new Promise((done) => setTimeout(done, ms));";
const node = { runtime: "node", code: { source }, timeoutMs: 600_000 } as const;

/** What is killed with the server, and how it had got its container. */
const rows: Readonly<Record<string, { spec: FunctionSpecInput; start: Invocation["start"] }>> = {
  // Of a class of its own, so that nothing of it is in stock.
  fresh: { spec: { ...node, tmpBytes: 32 * 1024 * 1024 }, start: "cold" },
  warm: { spec: { ...node, isolation: "reuse" }, start: "warm" },
  program: {
    spec: { runtime: "command", command: ["sleep", "600"], timeoutMs: 600_000 },
    start: "cold",
  },
};

test("an invocation that was killed with the server is lost, with its container and its times", async () => {
  await using dir = await tempDir();
  const options = { directory: dir.path, env: { RUNLET_POOL_MAX: "2" } };
  const before: Invocation[] = [];
  {
    await using server = await startChildServer(options);
    const { client } = server;
    for (const [name, { spec }] of Object.entries(rows)) {
      await client.deploy(name, spec, { check: false });
    }
    await client.invoke("warm", { event: "0" });
    const calls = Object.keys(rows).map((name) => client.invoke(name, { event: "600000" }));
    const execution = client.execute({
      runtime: "bash",
      code: { source: "sleep 600" },
      timeoutMs: 600_000,
    });
    for (const call of [...calls, execution]) call.catch(() => undefined);
    for (const [name, { start }] of Object.entries(rows)) {
      const running = await inContainer(client, { function: name });
      assert.equal(running.start, start, name);
      before.push(running);
    }
    before.push(await inContainer(client, { kind: "execute" }));
    server.kill("SIGKILL");
    await server.ended();
  }
  await using server = await startChildServer(options);
  for (const { status: _status, ...known } of before) {
    const { stdout, stderr, ...lost } = await server.client.invocation(known.id);
    const { finishedAtUs = 0, exitedAtUs = 0 } = lost;
    assert.ok(known.startedAtUs !== undefined && finishedAtUs >= known.startedAtUs);
    const end = { exitReason: "lost", exitCode: 137, finishedAtUs, exitedAtUs } as const;
    assert.deepEqual(lost, { ...known, status: "lost", ...end });
    assert.deepEqual([stdout, stderr], ["", ""]);
  }
});

/** Waits until one is on record as running in a container. */
async function inContainer(
  client: Client,
  filter: Pick<Parameters<Client["invocations"]>[0] & object, "function" | "kind">,
): Promise<Invocation> {
  const probe = async (): Promise<Invocation | undefined> => {
    const { items } = await client.invocations({ ...filter, status: "running" });
    return items.find(({ containerId }) => containerId !== undefined);
  };
  return await poll("see it run in a container", probe, { timeoutMs: 20_000 });
}
