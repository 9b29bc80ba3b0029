import type { Invocation, InvocationDetail } from "../../api/schema/invocation.ts";

/** What a caller was told of an invocation, as its record has to say it too. */
export type Told = Pick<Invocation, "status"> &
  Partial<
    Pick<InvocationDetail, "answerBytes" | "stdout" | "stderr" | "exitCode" | "exitReason">
  > & { readonly errorCode?: string };

/** What the server has said, which the record has to hold to. */
export interface Ledger {
  /** Invocations that were answered, by id. */
  readonly answered: Map<string, Told>;
  /** What was answered to idempotency keys. */
  readonly keyed: Map<string, { invocationId: string; text: string }>;
  /** Events that were accepted, and whether a URL is to be told of their end. */
  readonly accepted: Map<string, { isCalledBack: boolean }>;
  /** What versions that were built answer, by function and version. */
  readonly built: Map<string, string>;
  /** Sandboxes that were opened. */
  readonly opened: Set<string>;
  /** Commands that have ended, with their exit codes. */
  readonly commands: Map<string, { sandboxId: string; exitCode: number }>;
  /** Snapshots that were made and not removed. */
  readonly snapshots: Set<string>;
  /** What no caller should ever be told. */
  readonly surprises: string[];
}

export function newLedger(): Ledger {
  return {
    answered: new Map(),
    keyed: new Map(),
    accepted: new Map(),
    built: new Map(),
    opened: new Set(),
    commands: new Map(),
    snapshots: new Set(),
    surprises: [],
  };
}

/** What a ledger comes to. */
export interface Tally {
  readonly answered: number;
  readonly accepted: number;
  readonly sandboxes: number;
  readonly builds: number;
}

export function tallyOf({ answered, accepted, opened, built }: Ledger): Tally {
  return {
    answered: answered.size,
    accepted: accepted.size,
    sandboxes: opened.size,
    builds: built.size,
  };
}
