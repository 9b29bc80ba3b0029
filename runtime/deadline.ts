import { setTimeout as sleep } from "node:timers/promises";
import { RunletError } from "./errors.ts";

/**
 * A signal that aborts after `timeoutMs` with a `deadline_exceeded` error naming `what`, or earlier with the
 * reason of `signal`. Dispose it to free the timer.
 */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/** Starts a deadline; see {@link Deadline}. */
export function startDeadline(what: string, timeoutMs: number, signal?: AbortSignal): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(
      new RunletError("deadline_exceeded", `Cannot ${what}: no answer within ${timeoutMs} ms`),
    );
  }, timeoutMs);
  const forward = (): void => controller.abort(signal?.reason);
  if (signal?.aborted) forward();
  else signal?.addEventListener("abort", forward, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose](): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", forward);
    },
  };
}

/**
 * Waits for `promise`, but no longer than `timeoutMs` and not past an abort of `signal`.
 * @throws the promise's own error, `deadline_exceeded`, or the signal's reason.
 */
export async function within<T>(
  promise: Promise<T>,
  what: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T> {
  using deadline = startDeadline(what, timeoutMs, signal);
  return await untilAborted(promise, deadline.signal);
}

/** Waits for `promise` or for an abort of `signal`, whichever comes first; throws the signal's reason. */
export async function untilAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Asks `probe` again and again until it answers something other than undefined.
 * @throws `deadline_exceeded` after `timeoutMs`.
 */
export async function poll<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  options: { timeoutMs: number; intervalMs?: number; signal?: AbortSignal },
): Promise<T> {
  const endsAt = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() > endsAt) {
      throw new RunletError(
        "deadline_exceeded",
        `Cannot ${what}: not so within ${options.timeoutMs} ms`,
      );
    }
    await sleep(options.intervalMs ?? 10);
  }
}
