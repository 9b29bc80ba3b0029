import type { EventCallback, NewEvent } from "../../../store/event-row.ts";
import { traceIdOf } from "../../../store/trace-id.ts";
import type { AsyncPolicy } from "../../schema/async-policy.ts";
import { RunletError } from "../errors.ts";
import { referenceIn } from "../function-reference.ts";
import { derivedEventId } from "./derived-id.ts";
import { endDocument, type VersionOf } from "./end-document.ts";
import type { EndedEvent } from "./ended-event.ts";

/** How many ends in a row may each queue the next event. */
const maxDepth = 16;

/**
 * What an event's end queues: one event for the destination that its function names for such an end, and a
 * delivery to the callback that its caller named.
 */
export function followUpsOf(
  ended: EndedEvent,
  { onSuccess, onFailure }: Pick<AsyncPolicy, "onSuccess" | "onFailure">,
  versionOf: VersionOf,
): NewEvent[] {
  const { event, end } = ended;
  const destination = end.state === "succeeded" ? onSuccess : onFailure;
  if (destination === undefined && event.callback === null) return [];
  const body = endDocument(ended, versionOf);
  const followUp = (word: "destination" | "callback", target: Target): NewEvent => ({
    ...target,
    id: derivedEventId(end.atUs, word, event.id, end.atUs),
    contentType: "application/json",
    body,
    source: `${word}:${event.functionName}`,
    traceId: event.traceId ?? traceIdOf(event.id),
    isSampled: event.isSampled,
    depth: event.depth + 1,
    acceptedAtUs: end.atUs,
  });
  const followUps: NewEvent[] = [];
  if (destination !== undefined && "url" in destination) {
    followUps.push(followUp("destination", deliveryTo(destination, event.functionName)));
  } else if (destination !== undefined && event.depth <= maxDepth) {
    // One that was given up for its depth queues no further one.
    const { name: functionName, qualifier = null } = referenceIn(destination.function);
    const target = { kind: "invoke", functionName, qualifier, callback: null } as const;
    followUps.push(followUp("destination", target));
  }
  if (event.callback !== null) {
    followUps.push(followUp("callback", deliveryTo(event.callback, event.functionName)));
  }
  return followUps;
}

/** @throws `failed_precondition` for an event at the end of too long a chain, such as a loop of destinations. */
export function assertDepth({ depth }: Pick<NewEvent, "depth">): void {
  if (depth <= maxDepth) return;
  throw new RunletError(
    "failed_precondition",
    `Cannot run the event: ${maxDepth} destinations in a row led to it, and no more may. See whether they go in a circle`,
  );
}

type Target = Pick<NewEvent, "kind" | "functionName" | "qualifier" | "callback">;

function deliveryTo(callback: EventCallback, functionName: string): Target {
  return { kind: "deliver", functionName, qualifier: null, callback };
}
