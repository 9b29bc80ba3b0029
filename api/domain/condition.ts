import { RunletError } from "./errors.ts";

/** What must hold for a change to be made, as HTTP's If-Match and If-None-Match have it. */
export interface Condition {
  /** The revision ids of which the present one must be one; `*` stands for whatever there is. */
  readonly ifMatch?: readonly string[];
  /** There must be nothing of that name yet. */
  readonly isNew?: boolean;
}

/**
 * Holds a change against its condition; `revisionId` is the present one, undefined where there is nothing.
 * @throws `condition_not_met`.
 */
export function assertCondition(
  what: string,
  revisionId: string | undefined,
  { ifMatch, isNew = false }: Condition,
): void {
  const refuse = (why: string): never => {
    throw new RunletError("condition_not_met", `Cannot change ${what}: ${why}`);
  };
  if (isNew && revisionId !== undefined) refuse("it exists already, and only a new one was wanted");
  if (ifMatch === undefined) return;
  if (revisionId === undefined) return refuse("it does not exist");
  if (!ifMatch.includes(revisionId) && !ifMatch.includes("*")) {
    refuse(`its revision is ${revisionId}, and another one was expected. Read it again`);
  }
}
