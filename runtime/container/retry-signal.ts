import { setTimeout as sleep } from "node:timers/promises";
import { startDeadline } from "../deadline.ts";
import { isRunletError, messageOf, RunletError } from "../errors.ts";

/**
 * Delivers a signal, trying again for about a second: runsc refuses while a container is just coming up.
 * @throws `deadline_exceeded` with the last refusal, or at once a `not_found` of `attempt`.
 */
export async function retrySignal(options: {
  /** As in `send SIGHUP to container rlt-...`. */
  what: string;
  attempt: (signal: AbortSignal) => Promise<void>;
  /** Bound on all tries together, also on one that hangs. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  using deadline = startDeadline(options.what, options.timeoutMs, options.signal);
  let refusal: unknown;
  for (const pauseMs of pausesMs) {
    if (pauseMs > 0) await pause(pauseMs, deadline.signal);
    try {
      await options.attempt(deadline.signal);
      return;
    } catch (error) {
      deadline.signal.throwIfAborted();
      if (isRunletError(error, "not_found")) throw error;
      refusal = error;
    }
  }
  throw new RunletError(
    "deadline_exceeded",
    `Cannot ${options.what}: kill timeout: ${messageOf(refusal)}`,
    { cause: refusal },
  );
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** Before each try. */
const pausesMs = [0, 100, 200, 400];
