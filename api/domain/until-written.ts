import { setTimeout as sleep } from "node:timers/promises";
import { hostFailureOf } from "./fault.ts";

const firstPauseMs = 100;
const longestPauseMs = 5_000;

export interface UntilWrittenOptions {
  /** Told once where the first try fails. */
  onError: (error: unknown) => void;
  /** Ends it after a try that failed. */
  signal?: AbortSignal;
}

/**
 * Writes what nobody will ask for again, such as an end: where the host stands in the way, as with a full disk, it is
 * tried again until it is on record. @throws what is no fault of the host, and any once the signal has aborted.
 */
export async function untilWritten(
  write: () => Promise<unknown>,
  { onError, signal }: UntilWrittenOptions,
): Promise<void> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    try {
      await write();
      return;
    } catch (error) {
      if (signal?.aborted || hostFailureOf(error) === undefined) throw error;
      if (pauseMs === firstPauseMs) onError(error);
    }
    await sleep(pauseMs, undefined, { ref: false, ...(signal && { signal }) }).catch(
      () => undefined,
    );
  }
}
