import type { Concurrency } from "../concurrency.ts";
import type { Events } from "../events/events.ts";
import type { Dispatch } from "./schedule-clock.ts";

/** Takes over what schedules come due for: an event is queued, or a function's stock set. */
export function handOver(events: Events, concurrency: Concurrency): Dispatch {
  return async ({ functionName: name, provisioned, dueAtUs, ...call }) => {
    if (provisioned !== undefined) return concurrency.provision(name, provisioned, dueAtUs);
    const { eventId: id, event: body, scheduleName, qualifier, contentType } = call;
    const source = `schedule:${scheduleName}`;
    await events.accept({ name, qualifier, contentType, id, body, source });
  };
}
