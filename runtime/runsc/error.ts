import { RunletError } from "../errors.ts";

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
  }
}

/** Tells whether runsc said that it knows no such container. */
export function isUnknownContainer(error: unknown): boolean {
  return error instanceof RunscError && error.reason.includes("does not exist");
}
