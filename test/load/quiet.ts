import type { Client } from "../../api/client/client.ts";

/** Whether nothing runs and no event waits. */
export async function isQuiet(client: Client): Promise<boolean> {
  const pages = await Promise.all([
    client.invocations({ status: "running", limit: 1 }),
    client.invocations({ status: "queued", limit: 1 }),
    client.events({ state: "queued", limit: 1 }),
    client.events({ state: "running", limit: 1 }),
  ]);
  return pages.every(({ items }) => items.length === 0);
}
