import { RunletError } from "../errors.ts";

const counts = new Map<string, number>();

/** How often each subcommand of runsc has failed in this process. */
export const runscFailures: ReadonlyMap<string, number> = counts;

/** A runsc command that failed; the message ends with runsc's own last log message where it left one. */
export class RunscError extends RunletError {
  override readonly name = "RunscError";
  readonly command: string;
  readonly exitCode: number | undefined;
  readonly reason: string;

  constructor(command: string, reason: string, exitCode?: number, options?: ErrorOptions) {
    super("runtime_failed", `runsc ${command} failed: ${reason}`, options);
    this.command = command;
    this.reason = reason;
    this.exitCode = exitCode;
    // To find out that a container is gone is no failure.
    if (!isUnknownContainer(this)) counts.set(command, (counts.get(command) ?? 0) + 1);
  }
}

/** Tells whether runsc said that it knows no such container. */
export function isUnknownContainer(error: unknown): boolean {
  return error instanceof RunscError && error.reason.includes("does not exist");
}
