import type { EventRow } from "../../../store/event-row.ts";
import { traceIdOf } from "../../../store/trace-id.ts";
import { asyncPolicy } from "../../schema/async-policy.ts";
import { isRunletError, RunletError } from "../errors.ts";
import type { Functions } from "../functions.ts";
import type { Answer, Invoker } from "../invoker.ts";
import type { DispatchPolicy } from "./dispatcher.ts";
import { assertDepth } from "./follow-ups.ts";

/** How often an event is turned away at its function's bound before it waits there. */
const patientAfter = 2;

/**
 * Invokes an event's function once. It does not wait at the function's own bound, lest events of one function
 * should hold the places of all; but one that was turned away before does, where no other event does, since
 * callers who never cease would keep it away for ever.
 * @throws `resource_exhausted` where the function is at its bound; `failed_precondition` at the end of too long a
 * chain of destinations; else as {@link Invoker.invoke}.
 */
export async function attemptEvent(
  invoker: Invoker,
  event: EventRow,
  signal: AbortSignal,
): Promise<Answer> {
  const { id, functionName: name, attempts, throttles, body, isSampled } = event;
  assertDepth(event);
  const qualifier = event.qualifier ?? undefined;
  if (!invoker.hasRoom(name, { isPatient: throttles >= patientAfter })) {
    throw new RunletError("resource_exhausted", `Cannot run now: ${name} is at its concurrency`);
  }
  return await invoker.invoke({
    name,
    qualifier,
    contentType: event.contentType ?? undefined,
    event: Buffer.from(body ?? []),
    trace: { id: event.traceId ?? traceIdOf(id), isSampled },
    attempt: { eventId: id, attempt: attempts },
    signal,
  });
}

/**
 * What a function's latest version says of its events, and how many slots are reserved for it; the defaults where
 * the function is gone.
 */
export function dispatchPolicyOf(
  functions: Functions,
  name: string,
  reserved = Infinity,
): DispatchPolicy {
  try {
    const { config } = functions.find(name);
    // Those of a function that is stopped are turned away, so that they grow old.
    const slots = Math.max(1, reserved);
    return { async: config.async, concurrency: Math.min(config.concurrency ?? Infinity, slots) };
  } catch (error) {
    if (!isRunletError(error, "not_found")) throw error;
    return { async: asyncPolicy.parse({}), concurrency: Infinity };
  }
}
