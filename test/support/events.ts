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
