import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { checkWakefulness } from "../../runtime/host/wakefulness.ts";
import { startChildServer } from "../support/child-server.ts";
import { hasOpen } from "../support/descriptors.ts";

const file = "/dev/cpu_dma_latency";

const { found } = checkWakefulness();
const skip = found === "processors can be kept from halting" ? false : found;

test(
  "a server keeps the processors awake for its requests, and not in between",
  { skip },
  async () => {
    await using server = await startChildServer();
    const { client, pid } = server;
    const { id } = await client.createSandbox();
    const isAsked = async (): Promise<true | undefined> => {
      await client.writeFile(id, "small", "text");
      // What the kernel answers is the least of all that is asked for.
      return (hasOpen(pid, file) && readFileSync(file).readInt32LE() === 0) || undefined;
    };
    await poll("see it asked for", isAsked, { timeoutMs: 20_000 });
    const isFree = (): true | undefined => !hasOpen(pid, file) || undefined;
    await poll("see it end", isFree, { timeoutMs: 20_000 });
  },
);

test("a server that is not to keeps them from nothing", { skip }, async () => {
  await using server = await startChildServer({ env: { RUNLET_WAKEFUL_MS: "0" } });
  const { id } = await server.client.createSandbox();
  await server.client.writeFile(id, "small", "text");
  assert.ok(!hasOpen(server.pid, file));
});
