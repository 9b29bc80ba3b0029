import type { Client } from "../../api/client/client.ts";
import type { EventDetail } from "../../api/schema/event.ts";
import { poll } from "../../runtime/deadline.ts";

/** Waits until an event is in a state, and answers it. */
export async function eventIn(
  client: Client,
  id: string,
  state: EventDetail["state"],
): Promise<EventDetail> {
  return await poll(
    `see event ${id} ${state}`,
    async () => {
      const event = await client.event(id);
      return event.state === state ? event : undefined;
    },
    { timeoutMs: 20_000 },
  );
}

/** Waits until the first attempt at an event has failed and the second one is waited for. */
export async function failedOnce(client: Client, id: string): Promise<EventDetail> {
  return await poll(
    `see event ${id} fail once`,
    async () => {
      const event = await client.event(id);
      return event.state === "queued" && event.attempts === 1 ? event : undefined;
    },
    { timeoutMs: 20_000 },
  );
}
