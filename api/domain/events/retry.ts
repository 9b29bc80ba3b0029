import type { DeadCondition, EventSummary } from "../../../store/event-row.ts";
import type { AsyncPolicy } from "../../schema/async-policy.ts";
import { type ErrorCode, InvocationError, type RunletError } from "../errors.ts";

/** What becomes of an event after an attempt that did not succeed. */
export type Verdict =
  | { readonly kind: "again"; readonly nextAtUs: number; readonly isCounted: boolean }
  | { readonly kind: "dead"; readonly condition: DeadCondition; readonly isCounted: boolean };

/** What the verdict rests on beside the event and its failure. */
export interface RetryFacts {
  readonly policy: AsyncPolicy;
  readonly atUs: number;
  /** A number from 0 up to 1, for the jitter. */
  readonly random: number;
}

const firstThrottleMs = 1_000;
const longestThrottleMs = 300_000;
const longestBackoffMs = 86_400_000;
const jitter = 0.2;

/** Codes of a failure that was no attempt: there was no room, or nothing to run it with. */
const throttles: ReadonlySet<ErrorCode> = new Set(["resource_exhausted", "unavailable"]);
/** Codes that no later attempt would change, where the event never came to run. */
const refusals: ReadonlySet<ErrorCode> = new Set([
  "not_found",
  "invalid_argument",
  "failed_precondition",
]);

/** Tells whether a failure only means that there was no room for the event. */
export function isThrottle(failure: RunletError): boolean {
  return throttles.has(failure.code);
}

/** Whether an event may not be tried (again), and why. */
export function spent(
  { attempts, acceptedAtUs }: Pick<EventSummary, "attempts" | "acceptedAtUs">,
  { policy, atUs }: Pick<RetryFacts, "policy" | "atUs">,
): DeadCondition | undefined {
  if (attempts > policy.maxAttempts) return "RetriesExhausted";
  return atUs - acceptedAtUs > policy.maxAgeMs * 1000 ? "EventAgeExceeded" : undefined;
}

/** What becomes of `event` after `failure`: an attempt that a later one could only begin past the age is the last. */
export function verdictOn(
  event: Pick<EventSummary, "attempts" | "throttles" | "acceptedAtUs">,
  failure: RunletError,
  { policy, atUs, random }: RetryFacts,
): Verdict {
  const isCounted = !isThrottle(failure);
  const isFinal = isRefusal(failure) || failure.code === "cancelled";
  if (isCounted && (isFinal || event.attempts >= policy.maxAttempts)) {
    return { kind: "dead", condition: "RetriesExhausted", isCounted };
  }
  const delayMs = isCounted
    ? Math.min(longestBackoffMs, policy.backoffMs * 2 ** (event.attempts - 1))
    : Math.min(longestThrottleMs, firstThrottleMs * 2 ** event.throttles);
  const nextAtUs = atUs + Math.round(delayMs * 1000 * (1 + jitter * (2 * random - 1)));
  const condition = spent({ ...event, attempts: 0 }, { policy, atUs: nextAtUs });
  return condition === undefined
    ? { kind: "again", nextAtUs, isCounted }
    : { kind: "dead", condition, isCounted };
}

/** An invocation that is on record has run, so that its failure is the function's own. */
function isRefusal(failure: RunletError): boolean {
  return refusals.has(failure.code) && !(failure instanceof InvocationError);
}
