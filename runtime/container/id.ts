import { randomBytes } from "node:crypto";
import { RunletError } from "../errors.ts";

/**
 * A container id. Always 20 characters: runsc matches ids by prefix, so no id may be a prefix of another.
 */
export type ContainerId = string & { readonly brand: "ContainerId" };

const pattern = /^rlt-[0-9a-f]{16}$/;

/** A new id that was never used before and never will be again. */
export function newContainerId(): ContainerId {
  return `rlt-${randomBytes(8).toString("hex")}` as ContainerId;
}

/** Takes a text as an id. @throws `invalid_argument` if it is not of the one fixed form. */
export function parseContainerId(text: string): ContainerId {
  if (!pattern.test(text)) {
    throw new RunletError(
      "invalid_argument",
      `Cannot use ${JSON.stringify(text)} as container id: expected rlt- and 16 hexadecimal digits`,
    );
  }
  return text as ContainerId;
}
