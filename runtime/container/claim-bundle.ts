import { messageOf, RunletError } from "../errors.ts";
import { Bundle } from "../oci/bundle.ts";
import { withProcess } from "../oci/spec-options.ts";
import type { InitOptions } from "./init-options.ts";

/**
 * Makes the bundle of a container, which is the claim to its id: of two containers with one id the second is
 * refused here, before runsc could harm the first.
 * @throws `already_exists`, or `unavailable` if the directory cannot be written.
 */
export function claimBundle(options: InitOptions): Bundle {
  const terminal = withProcess({ terminal: options.stdio.kind === "console" });
  try {
    return Bundle.create(options.bundles, options.id, terminal(options.spec));
  } catch (cause) {
    const isTaken = (cause as NodeJS.ErrnoException).code === "EEXIST";
    const fact = isTaken ? "there is one of that id. Take a new id" : messageOf(cause);
    const code = isTaken ? "already_exists" : "unavailable";
    throw new RunletError(code, `Cannot create container ${options.id}: ${fact}`, { cause });
  }
}
