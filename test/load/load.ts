import { ApiError, ConnectionError } from "../../api/client/errors.ts";
import { type Acts, type Caller, pick } from "./act.ts";

/** Refusals that want of room explains. */
const ofRoom: ReadonlySet<string> = new Set(["resource_exhausted"]);
/** Refusals that an end of the server explains. */
const ofEnd: ReadonlySet<string> = new Set(["unavailable", "cancelled"]);

export interface LoadOptions {
  readonly acts: Acts;
  /** How many do something at once. */
  readonly callers: number;
  /** Whether the server may end meanwhile: then what that breaks off is no surprise. */
  readonly mayEnd: boolean;
  /** Whether enough was done; asked before each act. */
  readonly isEnough?: () => boolean;
}

/** Does all kinds of things until the caller's signal, or until it is enough. What no caller should be told is in the ledger. */
export async function load(caller: Caller, options: LoadOptions): Promise<void> {
  const { acts, callers, mayEnd, isEnough = () => false } = options;
  const { signal, ledger } = caller;
  const isExpected = (error: unknown): boolean => {
    if (error instanceof ApiError)
      return ofRoom.has(error.code) || (mayEnd && ofEnd.has(error.code));
    return mayEnd && error instanceof ConnectionError;
  };
  const one = async (): Promise<void> => {
    while (!signal.aborted && !isEnough()) {
      try {
        await pick(acts)(caller);
      } catch (error) {
        if (signal.aborted || isExpected(error)) continue;
        ledger.surprises.push(error instanceof Error ? (error.stack ?? error.message) : "thrown");
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, one));
}
