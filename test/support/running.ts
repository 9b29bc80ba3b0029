import type { Client } from "../../api/client/client.ts";
import type { Invocation } from "../../api/schema/invocation.ts";
import { poll } from "../../runtime/deadline.ts";

/** Waits until an invocation of a function is running, and answers its record. */
export async function runningInvocation(client: Client, name: string): Promise<Invocation> {
  return await poll(
    `see ${name} run`,
    async () => (await client.invocations({ function: name, status: "running" })).items[0],
    { timeoutMs: 20_000 },
  );
}

/** Waits until an invocation has come to an end with its container, and answers its record. */
export async function endedInvocation(client: Client, id: string): Promise<Invocation> {
  return await poll(
    `see ${id} end`,
    async () => {
      const record = await client.invocation(id);
      return record.exitedAtUs === undefined ? undefined : record;
    },
    { timeoutMs: 20_000 },
  );
}
