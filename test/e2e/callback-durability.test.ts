import assert from "node:assert/strict";
import { test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { startChildServer } from "../support/child-server.ts";
import { startReceiver } from "../support/receiver.ts";
import { tempDir } from "../support/temp-dir.ts";

const eventCount = 30;
const source = `export const handler = async (event) => {
  await new Promise((done) => setTimeout(done, 30));
  return event;
};`;

test("each end of an event is told once to a function and at least once to a URL, though the server is killed meanwhile", async () => {
  await using dir = await tempDir();
  // Until the last life every third request is never answered; the first try of some fails.
  let mayHang = true;
  const tries = new Map<string, number>();
  await using receiver = await startReceiver(({ headers }, count) => {
    if (mayHang && count % 3 === 2) return undefined;
    const id = String(headers["webhook-id"]);
    tries.set(id, (tries.get(id) ?? 0) + 1);
    return { status: count % 2 === 0 && tries.get(id) === 1 ? 500 : 200 };
  });
  const env = {
    RUNLET_MAX_CONCURRENCY: "4",
    RUNLET_POOL_MAX: "8",
    RUNLET_ALLOW_PRIVATE_CALLBACKS: "true",
  };
  const options = { directory: dir.path, env };
  const ids: string[] = [];
  for (let life = 0; life < 3; life++) {
    await using server = await startChildServer(options);
    const { client } = server;
    if (life === 0) {
      await client.setSecret("callback-key", "key");
      const async = { maxAttempts: 10, backoffMs: 50 };
      const spec = { runtime: "node", code: { source }, isolation: "reuse", async } as const;
      await client.deploy("told", spec);
      const onSuccess = { function: "told" };
      await client.deploy("told-of", {
        ...spec,
        async: { ...async, onSuccess },
      });
      const callback = { url: receiver.url, secret: "callback-key" };
      const accepted = Array.from(
        { length: eventCount },
        async (_, n) =>
          await client.invokeAsync("told-of", { event: JSON.stringify({ n }), callback }),
      );
      ids.push(...(await Promise.all(accepted)).map(({ eventId }) => eventId));
    }
    await receiver.until(receiver.received.length + 4);
    server.kill("SIGKILL");
    assert.deepEqual(await server.ended(), { code: null, signal: "SIGKILL" });
  }
  mayHang = false;
  await using server = await startChildServer(options);
  const { client } = server;
  await poll(
    "see all told of",
    async () => {
      const { items } = await client.events({ state: "succeeded", limit: 200 });
      return items.length === 3 * eventCount ? items : undefined;
    },
    { timeoutMs: 60_000 },
  );
  const { items } = await client.events({ limit: 200 });
  assert.equal(items.length, 3 * eventCount, "something was told twice");
  const toldIds = receiver.received.map(({ body }) => {
    const { requestContext } = JSON.parse(body) as { requestContext: { requestId: string } };
    return requestContext.requestId;
  });
  assert.deepEqual(new Set(toldIds), new Set(ids));
  const deliveries = new Set(receiver.received.map(({ headers }) => headers["webhook-id"]));
  assert.equal(deliveries.size, eventCount, "a delivery is known by its id");
});
